"""What the product promises, and whether these results keep it."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

MEGABYTES = 120  # that an import may hold at its peak, however large the clinic
GROWTH = 1.1  # from the smallest clinic to the largest: flat
TIMES_THE_FLOOR = 1.25
TIMES_TUNED_DLT = 2.0
DISPATCH_SECONDS = 0.5
IDLE_MILLISECONDS, BUSY_MILLISECONDS = 30, 60  # a tick, beside HTTP
RESOURCES = 8
LAUNCH_TIMES_THE_FLOOR = 1.10
SEARCH_MILLISECONDS = 50
EXPORT_TIMES_THE_FLOOR = 2.0  # each record is in it twice
LIMIT_USED = 0.95  # of the requests that the limit leaves to background work


@dataclass(frozen=True)
class Target:
    sentence: str
    figure: str
    met: bool


def targets(results: dict[str, Any]) -> list[Target]:
    """Those that something was measured for."""
    return [target for name, judge in JUDGES.items() if name in results for target in judge(results[name])]


def _imports(result: dict[str, Any]) -> Iterator[Target]:
    times = {row["name"]: row["times_the_floor"] for row in result["rows"]}
    ours = times.get("sidechart")
    if ours:
        figure = f"{ours:.2f} times"
        yield Target(f"A first import takes at most {TIMES_THE_FLOOR} times the floor", figure, ours <= TIMES_THE_FLOOR)
    if ours and "dlt_tuned" in times:
        ratio = times["dlt_tuned"] / ours
        sentence = f"and is {TIMES_TUNED_DLT:.0f} times faster than dlt tuned by its settings"
        yield Target(sentence, f"{ratio:.2f} times", ratio >= TIMES_TUNED_DLT)


def _memory(result: dict[str, Any]) -> Iterator[Target]:
    peaks = [row["megabytes"] for row in result["rows"]]
    yield Target(f"An import holds less than {MEGABYTES} MB", f"{max(peaks):.0f} MB", max(peaks) < MEGABYTES)
    growth = peaks[-1] / peaks[0]
    yield Target("and as much for a large clinic as for a small one", f"{growth:.2f} times", growth < GROWTH)


def _moving(result: dict[str, Any]) -> Iterator[Target]:
    for row in result["rows"]:
        if row["name"] == "sidechart":
            wrong = max(sum(seed["after_quiet_runs"].values()) for seed in row["seeds"])
            yield Target("No patient is wrong once the list is quiet", f"{wrong} at worst", wrong == 0)


def _idle(result: dict[str, Any]) -> Iterator[Target]:
    asked = sum(result["requests"].values()) / result["ticks"] / RESOURCES
    yield Target("An idle tick asks at most once a resource", f"{asked:.2f} times", asked <= 1)
    for name, most, what in (("idle", IDLE_MILLISECONDS, "An idle tick"), ("busy", BUSY_MILLISECONDS, "50 changes")):
        own = result[name]["own"]
        yield Target(f"{what}: under {most} ms beside HTTP", f"{own:.0f} ms", own < most)


def _dispatch(result: dict[str, Any]) -> Iterator[Target]:
    seconds = median(result["seconds"])
    sentence = f"All due clinics are woken in under {DISPATCH_SECONDS} s"
    yield Target(sentence, f"{seconds:.2f} s", seconds < DISPATCH_SECONDS)


def _fairness(result: dict[str, Any]) -> Iterator[Target]:
    most = result["turns_of_another_while_one_waits"]
    yield Target("While a clinic waits, no other has more than two turns", f"{most} at most", most <= 2)


def _limit(result: dict[str, Any]) -> Iterator[Target]:
    refused = result["refused"]
    yield Target("Cliniko refuses none of a long import's requests", f"{refused} refused", refused == 0)
    if result["share"] is not None:
        sentence = f"and it uses {LIMIT_USED:.0%} of what it may ask"
        yield Target(sentence, f"{result['share']:.1%}", result["share"] >= LIMIT_USED)


def _page(result: dict[str, Any]) -> Iterator[Target]:
    times = {row["name"]: row["times_the_floor"] for row in result["rows"]}
    ours, stock = times["sidechart"], times["stock"]
    sentence = f"A launch takes at most {LAUNCH_TIMES_THE_FLOOR:.2f} times that of a plain Django"
    yield Target(sentence, f"{ours:.2f} times", ours <= LAUNCH_TIMES_THE_FLOOR)
    yield Target("and is ahead of stock django-tenants", f"{stock:.2f} times", ours < stock)


def _search(result: dict[str, Any]) -> Iterator[Target]:
    slowest = result["slowest"]
    sentence = f"No usual search takes more than {SEARCH_MILLISECONDS} ms"
    yield Target(sentence, f"{slowest:.0f} ms", slowest < SEARCH_MILLISECONDS)


def _whole(result: dict[str, Any]) -> Iterator[Target]:
    times = result["times_the_floor"]
    sentence = f"An export takes at most {EXPORT_TIMES_THE_FLOOR:.1f} times COPY into gzip"
    yield Target(sentence, f"{times:.2f} times", times <= EXPORT_TIMES_THE_FLOOR)
    growth = result["megabytes"] / result["megabytes_of_a_tenth"]
    yield Target("and holds as much for a clinic of ten times the size", f"{growth:.2f} times", growth < GROWTH)


JUDGES = {
    "import": _imports,
    "memory": _memory,
    "moving": _moving,
    "idle": _idle,
    "dispatch": _dispatch,
    "fairness": _fairness,
    "limit": _limit,
    "page": _page,
    "search": _search,
    "whole": _whole,
}
