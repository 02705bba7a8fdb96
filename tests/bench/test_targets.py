"""The verdicts follow from the figures."""

import io
from typing import Any

import pytest
from rich.console import Console

from bench.report import show
from bench.sync.fairness import most_turns_of_another
from bench.targets import targets


def imported(**times: float) -> dict[str, Any]:
    """Times of the floor by subject."""
    same = {
        "rows_per_second": 1.0,
        "rows_per_second_again": 1.0,
        "cpu_seconds": 1.0,
        "megabytes": 90.0,
        "missing": 0,
        "patients": 100,
    }
    rows = [{"name": name, "title": name, "times_the_floor": ratio, **same} for name, ratio in times.items()]
    return {"import": {"patients": 100, "runs": 1, "rows": rows, "not_measured": {"peer": "It is not here."}}}


@pytest.mark.parametrize(("ours", "met"), [(1.2, [True, True]), (1.25, [True, False]), (1.3, [False, False])])
def test_an_import_is_judged_by_the_floor_and_by_tuned_dlt(ours: float, met: list[bool]) -> None:
    found = targets(imported(floor=1.0, sidechart=ours, dlt_tuned=2.45))
    assert [target.met for target in found] == met


@pytest.mark.parametrize(
    ("turns", "most"),
    [
        ([(1, 2, "a"), (2, 3, "b"), (3, 4, "a"), (4, 5, "b")], 1),
        ([(1, 2, "a"), (2, 3, "a"), (3, 4, "a"), (4, 5, "b")], 3),
        ([(1, 2, "a"), (2, 3, "b"), (3, 4, "b"), (4, 5, "b"), (5, 6, "a")], 3),
    ],
)
def test_turns_of_others_are_counted_while_one_waits(turns: list[tuple[float, float, str]], most: int) -> None:
    assert most_turns_of_another(turns, began=0.0) == most


def test_one_seed_that_leaves_somebody_wrong_fails_the_target() -> None:
    seeds = [{"after_quiet_runs": {"missing": missing, "stale": 0, "shown_though_gone": 0}} for missing in (0, 1, 0)]
    [target] = targets({"moving": {"rows": [{"name": "sidechart", "seeds": seeds}]}})
    assert not target.met


def test_who_was_not_measured_is_named_with_the_reason() -> None:
    shown = io.StringIO()
    show(imported(floor=1.0, sidechart=1.1), Console(width=120, file=shown))
    assert "Not measured: peer. It is not here." in shown.getvalue()


@pytest.mark.parametrize(("times", "megabytes", "met"), [(1.8, 94, [True, True]), (2.1, 120, [False, False])])
def test_an_export_is_judged_by_copy_and_by_memory_that_stays_flat(
    times: float, megabytes: int, met: list[bool]
) -> None:
    found = targets({"whole": {"times_the_floor": times, "megabytes": megabytes, "megabytes_of_a_tenth": 93}})
    assert [target.met for target in found] == met
