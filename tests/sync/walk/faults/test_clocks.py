"""Wrong clocks: an answer's Date header, and Cliniko's own clock, which also sets `updated_at`."""

from datetime import timedelta

import pytest

from sandbox.cliniko.clock import utc_now
from sandbox.cliniko.faults.kinds import Fault
from tests.sync.walk.faults.scenario import CHANGING, Scenario, edit_of, id_at, id_of

HOUR = 3600.0
DAY = 24 * HOUR


def edit_one(scenario: Scenario, position: int, text: str) -> None:
    for resource in CHANGING:
        scenario.store.edit("bondi", resource, id_of(resource, position), **edit_of(resource, text))


@pytest.mark.parametrize(
    ("fault", "seconds"), [(Fault.CLOCK_AHEAD, 3 * DAY), (Fault.CLOCK_BEHIND, 90.0), (Fault.CLOCK_BEHIND, 3 * DAY)]
)
def test_nothing_is_lost_when_every_answer_has_a_wrong_date(scenario: Scenario, fault: Fault, seconds: float) -> None:
    scenario.mark_imported(without="patients")
    scenario.store.inject_fault("bondi", fault, times=None, seconds=seconds)
    scenario.sync("bondi")
    scenario.check()
    edit_one(scenario, 0, "While the date is wrong")
    scenario.sync("bondi")
    scenario.check()
    scenario.store.clear_faults("bondi")
    edit_one(scenario, 1, "When the date is right again")
    scenario.sync("bondi")
    scenario.check()


@pytest.mark.parametrize("fault", [Fault.CLOCK_AHEAD, Fault.CLOCK_BEHIND], ids=str)
def test_nothing_is_lost_when_one_answer_has_a_wrong_date(scenario: Scenario, fault: Fault) -> None:
    scenario.mark_imported(without="patients")
    for page in (0, 2, 4):
        scenario.store.inject_fault("bondi", fault, resource="patients", after=page, seconds=HOUR)
        scenario.edit_many()
        scenario.sync("bondi")
        scenario.store.clear_faults("bondi")
        scenario.sync("bondi")
        scenario.check()


def set_clock(scenario: Scenario, seconds: float) -> None:
    """Set Cliniko's clock this many seconds off."""
    scenario.store.now = lambda: utc_now() + timedelta(seconds=seconds)


@pytest.mark.parametrize("seconds", [-120.0, -HOUR])
def test_changes_made_while_clinikos_clock_is_behind_are_found(scenario: Scenario, seconds: float) -> None:
    scenario.mark_imported()
    set_clock(scenario, seconds)
    edit_one(scenario, 0, "Stamped too early")
    scenario.store.archive("bondi", id_at(1))
    scenario.store.add_patient("bondi", first_name="Stamped too early")
    scenario.store.delete("bondi", id_at(2))
    scenario.sync("bondi")
    scenario.check()
    set_clock(scenario, 0)
    edit_one(scenario, 0, "Right again")
    scenario.sync("bondi")
    scenario.check()


def test_comparison_corrects_the_mirror_after_clinikos_clock_jumped(scenario: Scenario) -> None:
    scenario.mark_imported()
    for seconds, text in ((2 * HOUR, "ahead"), (-HOUR, "behind"), (0.0, "right")):
        set_clock(scenario, seconds)
        edit_one(scenario, 0, f"Always: {text}")
        edit_one(scenario, {"ahead": 1, "behind": 2, "right": 4}[text], text)
        scenario.store.add_patient("bondi", first_name=text)
        scenario.store.delete(
            "bondi", id_of("attendees", {"ahead": 5, "behind": 6, "right": 7}[text]), resource="attendees"
        )
        scenario.sync("bondi")
    scenario.backdate_rows()
    scenario.compare()
    scenario.check()
