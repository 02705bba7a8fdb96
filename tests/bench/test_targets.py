"""Targets and fairness follow from the measurements."""

from typing import Any

from bench.sync.fairness import max_slices_of_another
from bench.targets import targets


def import_results(**ratios: float) -> dict[str, Any]:
    """Return import results with the times of each subject as multiples of the baseline's."""
    return {"import": {"rows": [{"name": name, "times_the_baseline": ratio} for name, ratio in ratios.items()]}}


def met(results: dict[str, Any]) -> list[bool]:
    return [target.met for target in targets(results)]


def test_an_import_is_compared_with_the_baseline_and_with_tuned_dlt() -> None:
    for ratio, expected in ((1.2, [True, True]), (1.25, [True, False]), (1.3, [False, False])):
        assert met(import_results(baseline=1.0, sidechart=ratio, dlt_tuned=2.45)) == expected, ratio


def test_an_export_is_compared_with_copy_and_needs_constant_memory() -> None:
    for ratio, megabytes, expected in ((1.8, 94, [True, True]), (2.1, 120, [False, False])):
        result = {"times_the_baseline": ratio, "megabytes": megabytes, "megabytes_of_a_tenth": 93}
        assert met({"full": result}) == expected, ratio


def test_one_wrong_record_with_one_seed_fails_the_target() -> None:
    seeds = [{"after_quiet_runs": {"missing": missing, "stale": 0, "shown_but_removed": 0}} for missing in (0, 1, 0)]
    assert met({"changing": {"rows": [{"name": "sidechart", "seeds": seeds}]}}) == [False]


def test_slices_of_other_clinics_are_counted_while_one_waits() -> None:
    cases: list[tuple[list[tuple[float, float, str]], int]] = [
        ([(1, 2, "a"), (2, 3, "b"), (3, 4, "a"), (4, 5, "b")], 1),
        ([(1, 2, "a"), (2, 3, "a"), (3, 4, "a"), (4, 5, "b")], 3),
        ([(1, 2, "a"), (2, 3, "b"), (3, 4, "b"), (4, 5, "b"), (5, 6, "a")], 3),
    ]
    for slices, expected in cases:
        assert max_slices_of_another(slices, started=0.0) == expected, slices
