"""The verdicts follow from the figures."""

import io
from typing import Any

import pytest
from rich.console import Console

from bench.report import show
from bench.targets import targets


def imported(**rates: float) -> dict[str, Any]:
    same = {
        "rows_per_second_again": 1.0,
        "times_the_floor": 1.0,
        "cpu_seconds": 1.0,
        "megabytes": 90.0,
        "missing": 0,
        "patients": 100,
    }
    rows = [{"name": name, "title": name, "rows_per_second": rate, **same} for name, rate in rates.items()]
    return {"import": {"patients": 100, "runs": 1, "rows": rows, "not_measured": {"peer": "It is not here."}}}


@pytest.mark.parametrize(("ours", "met"), [(101.0, True), (99.0, False)])
def test_we_are_compared_with_the_fastest_peer_and_not_with_the_floor(ours: float, met: bool) -> None:
    [target] = targets(imported(floor=500.0, sidechart=ours, slow=10.0, quick=100.0))
    assert target.met is met
    assert target.figure.endswith("times quick")


def test_one_seed_that_leaves_somebody_wrong_fails_the_target() -> None:
    seeds = [{"after_quiet_runs": {"missing": missing, "stale": 0, "shown_though_gone": 0}} for missing in (0, 1, 0)]
    [target] = targets({"moving": {"rows": [{"name": "sidechart", "seeds": seeds}]}})
    assert not target.met


def test_who_was_not_measured_is_named_with_the_reason() -> None:
    shown = io.StringIO()
    show(imported(floor=500.0, sidechart=90.0), Console(width=120, file=shown))
    assert "Not measured: peer. It is not here." in shown.getvalue()
