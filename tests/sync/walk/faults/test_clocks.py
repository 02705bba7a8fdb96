"""Clocks that are wrong: the date of an answer, and Cliniko's own clock, which stamps the records too."""

from datetime import timedelta

import pytest

from sandbox.cliniko.clock import utc_now
from sandbox.cliniko.faults.kinds import Fault
from tests.sync.walk.faults.scenario import MOVING, Cast, number, place_of, words_of

HOUR = 3600.0
DAY = 24 * HOUR


def edit_one(cast: Cast, place: int, words: str) -> None:
    for resource in MOVING:
        cast.store.edit("bondi", resource, place_of(resource, place), **words_of(resource, words))


@pytest.mark.parametrize(
    ("fault", "seconds"), [(Fault.CLOCK_AHEAD, 3 * DAY), (Fault.CLOCK_BEHIND, 90.0), (Fault.CLOCK_BEHIND, 3 * DAY)]
)
def test_a_wrong_date_on_every_answer_of_an_import_or_a_tick_loses_nothing(
    cast: Cast, fault: Fault, seconds: float
) -> None:
    cast.mirrored(without="patients")
    cast.store.inject_fault("bondi", fault, times=None, seconds=seconds)
    cast.sync("bondi")
    cast.check()
    edit_one(cast, 0, "While the date is wrong")
    cast.sync("bondi")
    cast.check()
    cast.store.clear_faults("bondi")
    edit_one(cast, 1, "When the date is right again")
    cast.sync("bondi")
    cast.check()


@pytest.mark.parametrize("fault", [Fault.CLOCK_AHEAD, Fault.CLOCK_BEHIND], ids=str)
def test_a_wrong_date_on_one_answer_of_any_page_loses_nothing(cast: Cast, fault: Fault) -> None:
    cast.mirrored(without="patients")
    for page in (0, 2, 4):
        cast.store.inject_fault("bondi", fault, resource="patients", after=page, seconds=HOUR)
        cast.edit_many()
        cast.sync("bondi")
        cast.store.clear_faults("bondi")
        cast.sync("bondi")
        cast.check()


def set_clock(cast: Cast, seconds: float) -> None:
    """Cliniko's own clock is off by so much from now on."""
    cast.store.now = lambda: utc_now() + timedelta(seconds=seconds)


@pytest.mark.parametrize("seconds", [-120.0, -HOUR])
def test_what_changes_while_clinikos_clock_is_back_is_found_without_being_asked_for(cast: Cast, seconds: float) -> None:
    cast.mirrored()
    set_clock(cast, seconds)
    edit_one(cast, 0, "Stamped too early")
    cast.store.archive("bondi", number(1))
    cast.store.add_patient("bondi", first_name="Stamped too early")
    cast.store.delete("bondi", number(2))
    cast.sync("bondi")
    cast.check()
    set_clock(cast, 0)
    edit_one(cast, 0, "Right again")
    cast.sync("bondi")
    cast.check()


def test_a_clock_that_jumps_forth_and_back_and_is_right_again_ends_equal_after_a_comparison(cast: Cast) -> None:
    cast.mirrored()
    for seconds, words in ((2 * HOUR, "ahead"), (-HOUR, "behind"), (0.0, "right")):
        set_clock(cast, seconds)
        edit_one(cast, 0, f"Always: {words}")
        edit_one(cast, {"ahead": 1, "behind": 2, "right": 4}[words], words)
        cast.store.add_patient("bondi", first_name=words)
        cast.store.delete(
            "bondi", place_of("attendees", {"ahead": 5, "behind": 6, "right": 7}[words]), resource="attendees"
        )
        cast.sync("bondi")
    cast.age()
    cast.compare()
    cast.check()
