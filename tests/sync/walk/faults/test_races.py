"""A launch and a page, or two workers, write the same records at the same time: the later request wins."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sandbox.cliniko.faults.kinds import Fault
from sync.cliniko.client import Cliniko
from sync.cliniko.errors import ClinikoError
from sync.models import Connection
from sync.refresh import Outcome, refresh_patient
from sync.walk import run as walk_run
from sync.walk.lease import LeaseHeld, LeaseLost
from tenants.context import clinic_context
from tests.sync.walk.faults.scenario import Scenario, id_at

PATIENT = id_at(0)


def edit(scenario: Scenario) -> None:
    scenario.store.edit("bondi", "patients", PATIENT, first_name="After")


def edit_within_the_second(scenario: Scenario) -> None:
    patient = scenario.store.patient("bondi", PATIENT)
    assert patient is not None
    scenario.store.edit("bondi", "patients", PATIENT, first_name="After", updated_at=patient.updated_at)


def archive(scenario: Scenario) -> None:
    scenario.store.archive("bondi", PATIENT)


def merge(scenario: Scenario) -> None:
    scenario.store.merge("bondi", PATIENT, id_at(1))


def delete(scenario: Scenario) -> None:
    scenario.store.delete("bondi", PATIENT)


def delete_untouched(scenario: Scenario) -> None:
    scenario.store.delete("bondi", PATIENT, touch=False)


CHANGES = [edit, edit_within_the_second, archive, merge, delete, delete_untouched]
each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.__name__))


def after_first_answer(
    monkeypatch: pytest.MonkeyPatch, method: str, resource: str, callback: Callable[[], None]
) -> None:
    """Call `callback` after the first answer of this kind has arrived and before it is used."""
    real = getattr(Cliniko, method)
    done: list[str] = []

    def request(self: Cliniko, name: str, *args: Any, **query: Any) -> Any:
        answer = real(self, name, *args, **query)
        if name == resource and not query.get("subset") and not done:
            done.append(name)
            callback()
        return answer

    monkeypatch.setattr(Cliniko, method, request)


def launch() -> None:
    assert refresh_patient(PATIENT) in (Outcome.FRESH, Outcome.UNKNOWN)


def tick() -> None:
    assert walk_run.run_sync(everything=False)


IN_BOTH = [(change, "") for change in CHANGES] + [(change, "patients") for change in (edit, merge, delete_untouched)]


@pytest.mark.parametrize(("change", "without"), IN_BOTH, ids=lambda each: getattr(each, "__name__", each or "tick"))
def test_launch_overtakes_a_page(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch, change: Callable[[Scenario], None], without: str
) -> None:
    scenario.mark_imported(without=without)
    scenario.store.edit("bondi", "patients", PATIENT, first_name="Before")
    scenario.store.add_alert("bondi", id_at(1), "New")

    def change_and_write() -> None:
        change(scenario)
        launch()

    scenario.only("patients", "patients/deleted")
    after_first_answer(monkeypatch, "list", "patients", change_and_write)
    scenario.sync_until_done()
    if not (without and change in (delete, delete_untouched)):  # an unknown patient has no tombstone yet
        assert not [name for name in patient_differences(scenario) if PATIENT in name]
    scenario.sync("bondi")
    scenario.check()


@each_change
def test_page_overtakes_a_launch(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch, change: Callable[[Scenario], None]
) -> None:
    scenario.mark_imported()
    scenario.store.edit("bondi", "patients", PATIENT, first_name="Before")

    def change_and_write() -> None:
        change(scenario)
        tick()

    scenario.only("patients", "patients/deleted")
    after_first_answer(monkeypatch, "record", "patients", change_and_write)
    with clinic_context("bondi"):
        assert refresh_patient(PATIENT) == Outcome.FRESH
    assert not [name for name in patient_differences(scenario) if PATIENT in name]
    scenario.sync("bondi")
    scenario.check()


def patient_differences(scenario: Scenario) -> tuple[str, ...]:
    found = scenario.differences()
    of_patients = (*found.missing, *found.stale, *found.not_deleted)
    return tuple(name for name in of_patients if name.startswith("patients/"))


def test_second_worker_finds_the_lease_held_and_makes_no_request(scenario: Scenario) -> None:
    scenario.mark_imported(without="patients")
    met: list[int] = []

    def second(*_: object) -> None:
        before = scenario.store.count_requests()
        with pytest.raises(LeaseHeld):
            walk_run.run_sync(everything=False)
        assert walk_run.run_slice(seconds=1, pages=5) == walk_run.SliceOutcome()
        met.append(scenario.store.count_requests() - before)

    with clinic_context("bondi"):
        assert walk_run.run_sync(pages=200, on_page=second)
    assert len(met) > 3
    scenario.check()


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("without", ["", "patients"], ids=["tick", "import"])
def test_worker_that_slept_beyond_its_lease_overwrites_nothing(scenario: Scenario, nth: int, without: str) -> None:
    """The first worker stalls after a page; the second finishes, while Cliniko keeps changing."""
    scenario.mark_imported(without=without)
    scenario.edit_many()
    scenario.only("patients")
    pages: list[str] = []

    def fall_asleep(*_: object) -> None:
        pages.append("patients")
        if len(pages) == nth:
            Connection.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
            edit(scenario)
            assert walk_run.run_sync(everything=False)
            edit(scenario)
            Connection.objects.update(lease_token="00000000-0000-0000-0000-000000000001", lease_until=None)

    with clinic_context("bondi"), suppress(LeaseLost):
        walk_run.run_sync(everything=False, on_page=fall_asleep)
    assert len(pages) == nth
    assert not [name for name in patient_differences(scenario) if PATIENT not in name]
    scenario.sync("bondi")
    scenario.check()


def test_lease_of_a_dead_worker_expires(scenario: Scenario) -> None:
    scenario.mark_imported(without="patients")
    with clinic_context("bondi"):
        Connection.objects.update(
            lease_token="00000000-0000-0000-0000-000000000001", lease_until=timezone.now() + timedelta(seconds=90)
        )
        with pytest.raises(LeaseHeld):
            walk_run.run_sync()
        Connection.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert walk_run.run_sync()
    scenario.check()


def test_launch_is_fresh_while_lists_fail(scenario: Scenario) -> None:
    scenario.mark_imported()
    edit(scenario)
    scenario.fail_first(Fault.NOT_JSON, "patients")
    with clinic_context("bondi"):
        with pytest.raises(ClinikoError):
            walk_run.run_sync()
        assert refresh_patient(PATIENT) == Outcome.FRESH
    assert not patient_differences(scenario)
    scenario.sync_until_done()
    scenario.store.clear_faults("bondi")
    scenario.sync("bondi")
    scenario.check()
