"""Lists that change while they are read: whatever staff do between answers, the next tick makes the mirror equal."""

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
from tests.sync.walk.faults.conftest import set_page_size
from tests.sync.walk.faults.scenario import CHANGING, OWNERS, Scenario, edit_of, id_at, id_of

Change = Callable[[Scenario, str, int], None]
ROUNDS = ((1, 5), (2, 8), (0, 4))  # positions, read and unread, to change after the first, second and third answer


def edit(scenario: Scenario, resource: str, position: int) -> None:
    scenario.store.edit("bondi", resource, id_of(resource, position), **edit_of(resource, f"Edited {position}"))


def create(scenario: Scenario, resource: str, position: int) -> None:
    model = scenario.store.record("bondi", resource, id_of(resource, 0))
    assert model is not None
    scenario.store.add(
        "bondi", resource, model.body | edit_of(resource, f"New {position}"), patient_id=model.patient_id
    )


def archive(scenario: Scenario, resource: str, position: int) -> None:
    if resource == "attendees":
        return scenario.store.cancel_attendee("bondi", id_of(resource, position))
    return scenario.store.archive("bondi", id_of(resource, position), resource=resource)


def cancel_and_restore(scenario: Scenario, resource: str, position: int) -> None:
    if resource == "individual_appointments":
        return scenario.store.cancel_appointment("bondi", id_of(resource, position))
    return scenario.store.edit("bondi", resource, id_of(resource, position), archived_at=None, cancelled_at=None)


def merge(scenario: Scenario, resource: str, position: int) -> None:
    if resource == "patients":
        scenario.store.merge("bondi", id_at(position), id_at(7))
    elif position == ROUNDS[1][1]:  # a patient whose records are being read
        with suppress(SandboxError):
            scenario.store.merge("bondi", id_at(6), id_at(3))


def delete(scenario: Scenario, resource: str, position: int) -> None:
    scenario.store.delete("bondi", id_of(resource, position), resource=resource)


def delete_untouched(scenario: Scenario, resource: str, position: int) -> None:
    scenario.store.delete("bondi", id_of(resource, position), resource=resource, touch=False)


def delete_owner(scenario: Scenario, resource: str, position: int) -> None:
    if resource != "patients" and position == ROUNDS[1][1]:
        with suppress(SandboxError):
            scenario.store.delete("bondi", id_at(OWNERS[CHANGING.index(resource) % 3]), touch=False)


CHANGES = [edit, create, archive, cancel_and_restore, merge, delete, delete_untouched, delete_owner]


@dataclass
class Staff:
    """Changes records after each of the first answers of every list."""

    scenario: Scenario
    change: Change
    answers: dict[str, int] = field(default_factory=dict)

    def __call__(self, path: str) -> None:
        seen = self.answers[path] = self.answers.get(path, 0) + 1
        if path in CHANGING and seen <= len(ROUNDS):
            for position in ROUNDS[seen - 1]:
                self.change(self.scenario, path, position)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.__name__))
def test_changes_between_answers_of_an_import_reach_the_mirror(scenario: Scenario, change: Change) -> None:
    staff = Staff(scenario, change)
    scenario.on_response.append(staff)
    scenario.sync("bondi")
    assert all(staff.answers[resource] > 1 for resource in CHANGING[:3])
    scenario.on_response.clear()
    scenario.sync("bondi")
    scenario.check()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.__name__))
def test_changes_between_answers_of_a_tick_reach_the_mirror(scenario: Scenario, change: Change) -> None:
    scenario.mark_imported()
    scenario.edit_everything()
    staff = Staff(scenario, change)
    scenario.on_response.append(staff)
    scenario.sync("bondi")
    assert all(staff.answers[resource] > 1 for resource in CHANGING[:3])
    scenario.on_response.clear()
    scenario.sync("bondi")
    scenario.check()


def crowd(label: str, count: int) -> list[Record]:
    at = format_time(timezone.now())
    ids = [int(id_at(1000 + position)) for position in range(count)]
    return [Record(label, "patients", each, at, at, blank_patient() | {"first_name": f"P{each}"}) for each in ids]


def test_tick_reads_three_thousand_records_from_one_second(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    set_page_size(monkeypatch, 100)
    scenario.mark_imported()
    scenario.store.add_many(crowd("bondi", 3000))
    seen: list[str] = []

    def edit_in_between(path: str) -> None:
        seen.append(path)
        if seen.count("patients") == 5:
            scenario.store.edit("bondi", "patients", id_at(1001), first_name="Read already")
            scenario.store.edit("bondi", "patients", id_at(3999), first_name="Not read yet")

    scenario.on_response.append(edit_in_between)
    scenario.sync("bondi")
    scenario.on_response.clear()
    scenario.sync("bondi")
    scenario.check()


def test_tick_reads_consecutive_crowded_seconds_completely(scenario: Scenario) -> None:
    scenario.mark_imported()
    now = timezone.now()
    for position in range(30):
        at = format_time(now - timedelta(seconds=20 - position % 3))
        scenario.store.add_patient("bondi", id=id_at(500 + (7 * position) % 30), first_name="Crowd", updated_at=at)
    scenario.sync("bondi")
    scenario.check()


@pytest.mark.parametrize("resource", CHANGING)
def test_later_edits_within_one_second_are_found(scenario: Scenario, resource: str) -> None:
    scenario.mark_imported()
    at = format_time(timezone.now())
    for text in ("First", "Second", "Third"):
        scenario.store.edit("bondi", resource, id_of(resource, 0), **edit_of(resource, text), updated_at=at)
        if text != "Second":
            scenario.sync("bondi")
    scenario.check()


def test_edits_that_become_visible_within_the_overlap_are_found(scenario: Scenario) -> None:
    scenario.mark_imported()
    before = timezone.now()
    scenario.sync("bondi")
    for resource in CHANGING:
        late = {"updated_at": format_time(before - timedelta(seconds=50))}
        scenario.store.edit("bondi", resource, id_of(resource, 0), **edit_of(resource, "Late"), **late)
    scenario.store.add_patient("bondi", first_name="Late", updated_at=format_time(before - timedelta(seconds=50)))
    scenario.sync("bondi")
    scenario.check()


@pytest.mark.parametrize("without", ["", "patients"], ids=["tick", "import"])
def test_next_tick_reads_what_a_lagging_replica_left_out(scenario: Scenario, without: str) -> None:
    scenario.mark_imported(without=without)
    scenario.edit_everything()
    scenario.store.inject_fault("bondi", Fault.LATE, times=None, seconds=45)
    scenario.sync("bondi")
    assert scenario.differences()
    scenario.store.clear_faults("bondi")
    scenario.sync("bondi")
    scenario.check()
