"""The tasks: which clinics are due, and what a message does."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from sync import tasks
from sync.models import PatientChange, SyncRun
from sync.walk import run as walk_run
from tenants.context import ClinicAlreadyEntered, clinic_context
from tenants.database import connection
from tenants.models import Clinic
from tenants.queues import LONG_QUEUE, SHORT_QUEUE


def set_due(clinic: Clinic, *, seconds: float) -> None:
    Clinic.objects.filter(pk=clinic.pk).update(sync_due_at=timezone.now() + timedelta(seconds=seconds))


def test_tick_takes_each_due_clinic_once(bondi: Clinic, harbour: Clinic) -> None:
    set_due(bondi, seconds=-1)
    set_due(harbour, seconds=30)
    assert tasks.take_due_clinics() == [(bondi.schema_name, True)]
    assert tasks.take_due_clinics() == []


def test_tick_ignores_clinics_that_are_not_due_or_are_suspended(bondi: Clinic, harbour: Clinic) -> None:
    set_due(bondi, seconds=30)
    set_due(harbour, seconds=-1)
    Clinic.objects.filter(pk=harbour.pk).update(state=Clinic.State.SUSPENDED)
    assert tasks.take_due_clinics() == []
    tasks.mark_due(bondi.schema_name)
    assert tasks.take_due_clinics() == [(bondi.schema_name, True)]


def test_taken_clinic_is_due_again_within_the_interval(bondi: Clinic) -> None:
    set_due(bondi, seconds=-1)
    tasks.take_due_clinics()
    bondi.refresh_from_db()
    assert timedelta(seconds=50) < bondi.sync_due_at - timezone.now() <= timedelta(seconds=60)


def test_task_for_a_purged_clinic_does_nothing(db: None) -> None:
    tasks.sync_clinic(schema_name="clinic_0000000000000000")
    assert connection.schema_name == "public"


def test_task_without_a_clinic_raises() -> None:
    with pytest.raises(TypeError):
        tasks.sync_clinic()  # type: ignore[call-arg]


def test_task_does_not_run_inside_a_clinic(bondi: Clinic, harbour: Clinic) -> None:
    with clinic_context("bondi"), pytest.raises(ClinicAlreadyEntered):
        tasks.sync_clinic(schema_name=harbour.schema_name)


def test_clinic_without_a_key_is_checked_hourly(bondi: Clinic) -> None:
    set_due(bondi, seconds=50)
    tasks.sync_clinic(schema_name=bondi.schema_name)
    bondi.refresh_from_db()
    assert timedelta(minutes=59) < bondi.sync_due_at - timezone.now() <= tasks.BLOCKED_INTERVAL


def test_message_contains_only_the_schema(bondi: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, str]] = []
    monkeypatch.setattr(tasks.sync_clinic, "apply_async", lambda kwargs, **_: sent.append(kwargs))
    set_due(bondi, seconds=-1)
    tasks.tick()
    assert {"schema_name": bondi.schema_name} in sent
    assert all(message.keys() == {"schema_name"} for message in sent)


def test_old_runs_and_changes_are_deleted_in_the_named_clinic_only(bondi: Clinic, harbour: Clinic) -> None:
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            for days in (1, 29, 31):
                SyncRun.objects.create(started_at=timezone.now() - timedelta(days=days))
            for days in (31, 181):
                changed_at = timezone.now() - timedelta(days=days)
                PatientChange.objects.create(patient_id="42", field="city", changed_at=changed_at)
    tasks.delete_expired_in_clinic(schema_name=bondi.schema_name)
    for label, left in (("bondi", (2, 1)), ("harbour", (3, 2))):
        with clinic_context(label):
            assert (SyncRun.objects.count(), PatientChange.objects.count()) == left


def test_every_active_clinic_gets_its_own_message_to_delete_expired_data(
    bondi: Clinic, harbour: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, str]] = []
    monkeypatch.setattr(tasks.delete_expired_in_clinic, "apply_async", lambda kwargs, **_: sent.append(kwargs))
    tasks.delete_expired()
    assert sorted(message["schema_name"] for message in sent) == sorted([bondi.schema_name, harbour.schema_name])
    assert all(message.keys() == {"schema_name"} for message in sent)
    sent.clear()
    Clinic.objects.filter(pk=harbour.pk).update(state=Clinic.State.SUSPENDED)
    tasks.delete_expired()
    assert sent == [{"schema_name": bondi.schema_name}]


def test_deletion_task_for_a_purged_clinic_does_nothing(db: None) -> None:
    tasks.delete_expired_in_clinic(schema_name="clinic_0000000000000000")
    assert connection.schema_name == "public"
    with pytest.raises(TypeError):
        tasks.delete_expired_in_clinic()  # type: ignore[call-arg]


def test_clinic_with_more_to_do_gets_one_message_and_no_tick(bondi: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, str]] = []
    monkeypatch.setattr(tasks.sync_clinic, "apply_async", lambda kwargs, **_: sent.append(kwargs))
    monkeypatch.setattr(walk_run, "run_slice", lambda **_: walk_run.SliceOutcome(has_more=True))
    set_due(bondi, seconds=50)
    tasks.sync_clinic(schema_name=bondi.schema_name)
    assert sent == [{"schema_name": bondi.schema_name}]
    assert bondi.schema_name not in dict(tasks.take_due_clinics())


def test_postponed_clinic_continues_in_the_long_queue(
    bondi: Clinic, harbour: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues: list[str] = []
    monkeypatch.setattr(tasks.sync_clinic, "apply_async", lambda queue, **_: queues.append(queue))
    soon = timezone.now() + timedelta(seconds=3)
    monkeypatch.setattr(walk_run, "run_slice", lambda **_: walk_run.SliceOutcome(has_more=True, resume_at=soon))
    set_due(bondi, seconds=50)
    set_due(harbour, seconds=50)
    tasks.sync_clinic(schema_name=bondi.schema_name)
    bondi.refresh_from_db()
    assert (queues, bondi.sync_due_at) == ([], soon)
    set_due(bondi, seconds=-1)
    tasks.tick()
    assert queues == [LONG_QUEUE]


def test_import_uses_the_long_queue_and_later_ticks_the_short_one(
    bondi: Clinic, harbour: Clinic, mark_imported: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    queues: list[str] = []
    monkeypatch.setattr(tasks.sync_clinic, "apply_async", lambda queue, **_: queues.append(queue))
    monkeypatch.setattr(walk_run, "run_slice", lambda **_: walk_run.SliceOutcome())
    set_due(harbour, seconds=50)
    for imported in (False, True):
        if imported:
            mark_imported("bondi")
        set_due(bondi, seconds=-1)
        tasks.tick()
        tasks.sync_clinic(schema_name=bondi.schema_name)
    set_due(bondi, seconds=-1)
    tasks.tick()
    assert queues == [LONG_QUEUE, LONG_QUEUE, SHORT_QUEUE]


def test_clinic_marked_due_is_not_postponed(bondi: Clinic) -> None:
    tasks.mark_due(bondi.schema_name)
    tasks.postpone(bondi.schema_name, timezone.now() + tasks.BLOCKED_INTERVAL)
    assert bondi.schema_name in dict(tasks.take_due_clinics())
