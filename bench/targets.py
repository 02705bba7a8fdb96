"""The product's performance targets, and whether results meet them."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

MAX_MEGABYTES = 120  # peak memory of an import of any size
MAX_GROWTH = 1.1  # of memory, from the smallest clinic to the largest
BASELINE_RATIO = 1.25
TIMES_TUNED_DLT = 2.0
DISPATCH_SECONDS = 0.5
IDLE_MILLISECONDS, BUSY_MILLISECONDS = 30, 60  # of a tick, without HTTP
RESOURCES = 8
LAUNCH_RATIO = 1.10
SEARCH_MILLISECONDS = 50
EXPORT_RATIO = 2.0  # an export has each record twice
LIMIT_USED = 0.95  # of the requests per minute that background work may make


@dataclass(frozen=True)
class Target:
    sentence: str
    figure: str
    met: bool


def targets(results: dict[str, Any]) -> list[Target]:
    """Return the targets of the given measurements."""
    return [target for name, find in TARGETS.items() if name in results for target in find(results[name])]


def _imports(result: dict[str, Any]) -> Iterator[Target]:
    times = {row["name"]: row["times_the_baseline"] for row in result["rows"]}
    ours = times.get("sidechart")
    if ours:
        figure = f"{ours:.2f} times"
        yield Target(
            f"A first import takes at most {BASELINE_RATIO} times the baseline", figure, ours <= BASELINE_RATIO
        )
    if ours and "dlt_tuned" in times:
        ratio = times["dlt_tuned"] / ours
        sentence = f"and is {TIMES_TUNED_DLT:.0f} times faster than dlt tuned by its settings"
        yield Target(sentence, f"{ratio:.2f} times", ratio >= TIMES_TUNED_DLT)


def _memory(result: dict[str, Any]) -> Iterator[Target]:
    peaks = [row["megabytes"] for row in result["rows"]]
    yield Target(f"An import uses less than {MAX_MEGABYTES} MB", f"{max(peaks):.0f} MB", max(peaks) < MAX_MEGABYTES)
    growth = peaks[-1] / peaks[0]
    yield Target("and as much for a large clinic as for a small one", f"{growth:.2f} times", growth < MAX_GROWTH)


def _changing(result: dict[str, Any]) -> Iterator[Target]:
    for row in result["rows"]:
        if row["name"] == "sidechart":
            wrong = max(sum(seed["after_quiet_runs"].values()) for seed in row["seeds"])
            yield Target("No patient is wrong after quiet runs", f"{wrong} at most", wrong == 0)


def _idle(result: dict[str, Any]) -> Iterator[Target]:
    requests = sum(result["requests"].values()) / result["ticks"] / RESOURCES
    yield Target("An idle tick asks at most once a resource", f"{requests:.2f} times", requests <= 1)
    for name, most, what in (("idle", IDLE_MILLISECONDS, "An idle tick"), ("busy", BUSY_MILLISECONDS, "50 changes")):
        own = result[name]["own"]
        yield Target(f"{what}: under {most} ms without HTTP", f"{own:.0f} ms", own < most)


def _dispatch(result: dict[str, Any]) -> Iterator[Target]:
    seconds = median(result["seconds"])
    sentence = f"All due clinics are dispatched in under {DISPATCH_SECONDS} s"
    yield Target(sentence, f"{seconds:.2f} s", seconds < DISPATCH_SECONDS)


def _fairness(result: dict[str, Any]) -> Iterator[Target]:
    most = result["slices_of_another_while_one_waits"]
    yield Target("While a clinic waits, no other runs more than two slices", f"{most} at most", most <= 2)


def _limit(result: dict[str, Any]) -> Iterator[Target]:
    refused = result["refused"]
    yield Target("Cliniko refuses none of a long import's requests", f"{refused} refused", refused == 0)
    if result["share"] is not None:
        sentence = f"and it uses {LIMIT_USED:.0%} of its allowance"
        yield Target(sentence, f"{result['share']:.1%}", result["share"] >= LIMIT_USED)


def _page(result: dict[str, Any]) -> Iterator[Target]:
    times = {row["name"]: row["times_the_baseline"] for row in result["rows"]}
    ours, stock = times["sidechart"], times["stock"]
    sentence = f"A launch takes at most {LAUNCH_RATIO:.2f} times that of a plain Django"
    yield Target(sentence, f"{ours:.2f} times", ours <= LAUNCH_RATIO)
    yield Target("and is faster than with stock django-tenants", f"{stock:.2f} times", ours < stock)


def _search(result: dict[str, Any]) -> Iterator[Target]:
    slowest = result["slowest"]
    sentence = f"No typical search takes more than {SEARCH_MILLISECONDS} ms"
    yield Target(sentence, f"{slowest:.0f} ms", slowest < SEARCH_MILLISECONDS)


def _full(result: dict[str, Any]) -> Iterator[Target]:
    times = result["times_the_baseline"]
    sentence = f"An export takes at most {EXPORT_RATIO:.1f} times COPY to gzip"
    yield Target(sentence, f"{times:.2f} times", times <= EXPORT_RATIO)
    growth = result["megabytes"] / result["megabytes_of_a_tenth"]
    yield Target("and uses as much memory for a clinic ten times the size", f"{growth:.2f} times", growth < MAX_GROWTH)


TARGETS = {
    "import": _imports,
    "memory": _memory,
    "changing": _changing,
    "idle": _idle,
    "dispatch": _dispatch,
    "fairness": _fairness,
    "limit": _limit,
    "page": _page,
    "search": _search,
    "full": _full,
}
