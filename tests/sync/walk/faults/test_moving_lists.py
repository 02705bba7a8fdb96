"""Lists that move while they are read: whatever staff do between two answers, the next tick makes the mirror equal."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.utils import timezone

from sandbox.cliniko.clock import format_time
from sandbox.cliniko.data.blank_records import blank_patient
from sandbox.cliniko.data.records import Record
from sandbox.cliniko.errors import SandboxError
from sandbox.cliniko.faults.kinds import Fault
from tests.sync.walk.faults.conftest import set_per_page
from tests.sync.walk.faults.scenario import HOLDERS, MOVING, Cast, number, place_of, words_of

Change = Callable[[Cast, str, int], None]
ROUNDS = ((1, 5), (2, 8), (0, 4))  # after the first answer, the second and the third: places seen and not seen yet


def edit(cast: Cast, resource: str, place: int) -> None:
    cast.store.edit("bondi", resource, place_of(resource, place), **words_of(resource, f"Edited {place}"))


def create(cast: Cast, resource: str, place: int) -> None:
    model = cast.store.record("bondi", resource, place_of(resource, 0))
    assert model is not None
    cast.store.add("bondi", resource, model.body | words_of(resource, f"New {place}"), patient_id=model.patient_id)


def archive(cast: Cast, resource: str, place: int) -> None:
    if resource == "attendees":
        return cast.store.cancel_attendee("bondi", place_of(resource, place))
    return cast.store.archive("bondi", place_of(resource, place), resource=resource)


def cancel_and_come_back(cast: Cast, resource: str, place: int) -> None:
    if resource == "individual_appointments":
        return cast.store.cancel_appointment("bondi", place_of(resource, place))
    return cast.store.edit("bondi", resource, place_of(resource, place), archived_at=None, cancelled_at=None)


def merge(cast: Cast, resource: str, place: int) -> None:
    if resource == "patients":
        cast.store.merge("bondi", number(place), number(7))
    elif place == ROUNDS[1][1]:  # somebody on whom the records hang that are just being read
        with suppress(SandboxError):
            cast.store.merge("bondi", number(6), number(3))


def delete(cast: Cast, resource: str, place: int) -> None:
    cast.store.delete("bondi", place_of(resource, place), resource=resource)


def delete_untouched(cast: Cast, resource: str, place: int) -> None:
    cast.store.delete("bondi", place_of(resource, place), resource=resource, touch=False)


def delete_who_holds_it(cast: Cast, resource: str, place: int) -> None:
    if resource != "patients" and place == ROUNDS[1][1]:
        with suppress(SandboxError):
            cast.store.delete("bondi", number(HOLDERS[MOVING.index(resource) % 3]), touch=False)


CHANGES = [edit, create, archive, cancel_and_come_back, merge, delete, delete_untouched, delete_who_holds_it]


@dataclass
class Staff:
    """Make a change after each of the first answers of every list."""

    cast: Cast
    change: Change
    answers: dict[str, int] = field(default_factory=dict)

    def __call__(self, path: str) -> None:
        seen = self.answers[path] = self.answers.get(path, 0) + 1
        if path in MOVING and seen <= len(ROUNDS):
            for place in ROUNDS[seen - 1]:
                self.change(self.cast, path, place)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.__name__))
def test_changes_between_any_two_answers_of_an_import_reach_the_mirror(cast: Cast, change: Change) -> None:
    staff = Staff(cast, change)
    cast.after_answer.append(staff)
    cast.sync("bondi")
    assert all(staff.answers[resource] > 1 for resource in MOVING[:3])
    cast.after_answer.clear()
    cast.sync("bondi")
    cast.check()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.__name__))
def test_changes_between_any_two_answers_of_a_tick_reach_the_mirror(cast: Cast, change: Change) -> None:
    cast.mirrored()
    cast.edit_everything()
    staff = Staff(cast, change)
    cast.after_answer.append(staff)
    cast.sync("bondi")
    assert all(staff.answers[resource] > 1 for resource in MOVING[:3])
    cast.after_answer.clear()
    cast.sync("bondi")
    cast.check()


def crowd(label: str, count: int) -> list[Record]:
    at = format_time(timezone.now())
    ids = [int(number(1000 + place)) for place in range(count)]
    return [Record(label, "patients", each, at, at, blank_patient() | {"first_name": f"P{each}"}) for each in ids]


def test_three_thousand_records_of_one_second_are_all_read_by_a_tick(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_per_page(monkeypatch, 100)
    cast.mirrored()
    cast.store.add_many(crowd("bondi", 3000))
    seen: list[str] = []

    def meanwhile(path: str) -> None:
        seen.append(path)
        if seen.count("patients") == 5:
            cast.store.edit("bondi", "patients", number(1001), first_name="Read already")
            cast.store.edit("bondi", "patients", number(3999), first_name="Not read yet")

    cast.after_answer.append(meanwhile)
    cast.sync("bondi")
    cast.after_answer.clear()
    cast.sync("bondi")
    cast.check()


def test_crowded_seconds_on_end_are_read_to_the_last_record(cast: Cast) -> None:
    cast.mirrored()
    now = timezone.now()
    for place in range(30):
        at = format_time(now - timedelta(seconds=20 - place % 3))
        cast.store.add_patient("bondi", id=number(500 + (7 * place) % 30), first_name="Crowd", updated_at=at)
    cast.sync("bondi")
    cast.check()


@pytest.mark.parametrize("resource", MOVING)
def test_the_second_edit_of_one_second_is_seen(cast: Cast, resource: str) -> None:
    cast.mirrored()
    at = format_time(timezone.now())
    for words in ("First", "Second", "Third"):
        cast.store.edit("bondi", resource, place_of(resource, 0), **words_of(resource, words), updated_at=at)
        if words != "Second":
            cast.sync("bondi")
    cast.check()


def test_edits_that_become_visible_within_the_overlap_are_seen(cast: Cast) -> None:
    cast.mirrored()
    before = timezone.now()
    cast.sync("bondi")
    for resource in MOVING:
        late = {"updated_at": format_time(before - timedelta(seconds=50))}
        cast.store.edit("bondi", resource, place_of(resource, 0), **words_of(resource, "Late"), **late)
    cast.store.add_patient("bondi", first_name="Late", updated_at=format_time(before - timedelta(seconds=50)))
    cast.sync("bondi")
    cast.check()


@pytest.mark.parametrize("without", ["", "patients"], ids=["tick", "import"])
def test_what_a_replica_that_lags_left_out_comes_with_the_next_tick(cast: Cast, without: str) -> None:
    cast.mirrored(without=without)
    cast.edit_everything()
    cast.store.inject_fault("bondi", Fault.LATE, times=None, seconds=45)
    cast.sync("bondi")
    assert cast.differences()
    cast.store.clear_faults("bondi")
    cast.sync("bondi")
    cast.check()
