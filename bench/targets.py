"""What the product promises, and whether these results keep it."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

MEGABYTES = 120  # that an import may hold at its peak, however large the clinic
GROWTH = 1.1  # from the smallest clinic to the largest: flat
DISPATCH_SECONDS = 1.0
TICK_MILLISECONDS = 50


@dataclass(frozen=True)
class Target:
    sentence: str
    figure: str
    met: bool


def targets(results: dict[str, Any]) -> list[Target]:
    """Those that something was measured for."""
    return [target for name, judge in JUDGES.items() if name in results for target in judge(results[name])]


def _imports(result: dict[str, Any]) -> Iterator[Target]:
    rates = {row["name"]: row["rows_per_second"] for row in result["rows"]}
    ours = rates.get("sidechart")
    others = {name: rate for name, rate in rates.items() if name not in ("floor", "sidechart")}
    if ours and others:
        best = max(others, key=lambda name: others[name])
        figure = f"{ours / others[best]:.2f} times {best}"
        yield Target("A first import is faster than with any peer", figure, ours > others[best])


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
    own = result["idle"]["own"]
    yield Target(
        f"An idle tick takes under {TICK_MILLISECONDS} ms beside HTTP", f"{own:.0f} ms", own < TICK_MILLISECONDS
    )


def _dispatch(result: dict[str, Any]) -> Iterator[Target]:
    seconds = median(result["seconds"])
    sentence = f"All due clinics are woken in under {DISPATCH_SECONDS:.0f} s"
    yield Target(sentence, f"{seconds:.2f} s", seconds < DISPATCH_SECONDS)


JUDGES = {"import": _imports, "memory": _memory, "moving": _moving, "idle": _idle, "dispatch": _dispatch}
