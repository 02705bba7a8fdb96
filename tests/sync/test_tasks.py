"""The tasks: who is due, and what a message may and may not do."""

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


def due(clinic: Clinic, *, seconds: float) -> None:
    Clinic.objects.filter(pk=clinic.pk).update(sync_due_at=timezone.now() + timedelta(seconds=seconds))


def test_a_tick_takes_the_clinics_that_are_due_once(bondi: Clinic, harbour: Clinic) -> None:
    due(bondi, seconds=-1)
    due(harbour, seconds=30)
    assert tasks.take_due_clinics() == [(bondi.schema_name, True)]
    assert tasks.take_due_clinics() == []


def test_a_tick_leaves_out_clinics_that_are_not_due_or_are_suspended(bondi: Clinic, harbour: Clinic) -> None:
    due(bondi, seconds=30)
    due(harbour, seconds=-1)
    Clinic.objects.filter(pk=harbour.pk).update(state=Clinic.State.SUSPENDED)
    assert tasks.take_due_clinics() == []
    tasks.mark_due(bondi.schema_name)
    assert tasks.take_due_clinics() == [(bondi.schema_name, True)]


def test_a_taken_clinic_is_due_again_within_the_interval(bondi: Clinic) -> None:
    due(bondi, seconds=-1)
    tasks.take_due_clinics()
    bondi.refresh_from_db()
    assert timedelta(seconds=50) < bondi.sync_due_at - timezone.now() <= timedelta(seconds=60)


def test_a_task_for_a_clinic_that_is_gone_touches_nothing(db: None) -> None:
    tasks.sync_clinic(schema_name="clinic_0000000000000000")
    assert connection.schema_name == "public"


def test_a_task_without_a_clinic_refuses_to_run() -> None:
    with pytest.raises(TypeError):
        tasks.sync_clinic()  # type: ignore[call-arg]


def test_a_task_does_not_run_from_inside_a_clinic(bondi: Clinic, harbour: Clinic) -> None:
    with clinic_context("bondi"), pytest.raises(ClinicAlreadyEntered):
        tasks.sync_clinic(schema_name=harbour.schema_name)


def test_a_clinic_without_a_key_is_left_alone_for_an_hour(bondi: Clinic) -> None:
    due(bondi, seconds=50)
    tasks.sync_clinic(schema_name=bondi.schema_name)
    bondi.refresh_from_db()
    assert timedelta(minutes=59) < bondi.sync_due_at - timezone.now() <= tasks.BLOCKED_INTERVAL


def test_a_message_carries_the_schema_and_nothing_else(bondi: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, str]] = []
    monkeypatch.setattr(tasks.sync_clinic, "apply_async", lambda kwargs, **_: sent.append(kwargs))
    due(bondi, seconds=-1)
    tasks.tick()
    assert {"schema_name": bondi.schema_name} in sent
    assert all(message.keys() == {"schema_name"} for message in sent)


def test_runs_are_forgotten_after_a_month_and_changes_after_half_a_year_in_the_named_clinic(
    bondi: Clinic, harbour: Clinic
) -> None:
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


def test_every_active_clinic_gets_a_message_of_its_own_to_forget(
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


def test_a_clinic_that_is_gone_has_nothing_to_forget(db: None) -> None:
    tasks.delete_expired_in_clinic(schema_name="clinic_0000000000000000")
    assert connection.schema_name == "public"
    with pytest.raises(TypeError):
        tasks.delete_expired_in_clinic()  # type: ignore[call-arg]


def test_a_clinic_with_more_to_do_gets_one_message_and_no_tick_meanwhile(
    bondi: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, str]] = []
    monkeypatch.setattr(tasks.sync_clinic, "apply_async", lambda kwargs, **_: sent.append(kwargs))
    monkeypatch.setattr(walk_run, "run_slice", lambda **_: walk_run.SliceOutcome(has_more=True))
    due(bondi, seconds=50)
    tasks.sync_clinic(schema_name=bondi.schema_name)
    assert sent == [{"schema_name": bondi.schema_name}]
    assert bondi.schema_name not in dict(tasks.take_due_clinics())


def test_who_has_to_wait_goes_on_in_the_line_for_long_work(
    bondi: Clinic, harbour: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(tasks.sync_clinic, "apply_async", lambda queue, **_: lines.append(queue))
    soon = timezone.now() + timedelta(seconds=3)
    monkeypatch.setattr(walk_run, "run_slice", lambda **_: walk_run.SliceOutcome(has_more=True, resume_at=soon))
    due(bondi, seconds=50)
    due(harbour, seconds=50)
    tasks.sync_clinic(schema_name=bondi.schema_name)
    bondi.refresh_from_db()
    assert (lines, bondi.sync_due_at) == ([], soon)
    due(bondi, seconds=-1)
    tasks.tick()
    assert lines == [LONG_QUEUE]


def test_a_first_import_waits_among_the_long_work_and_what_comes_after_it_among_the_short(
    bondi: Clinic, harbour: Clinic, mark_imported: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(tasks.sync_clinic, "apply_async", lambda queue, **_: lines.append(queue))
    monkeypatch.setattr(walk_run, "run_slice", lambda **_: walk_run.SliceOutcome())
    due(harbour, seconds=50)
    for imported in (False, True):
        if imported:
            mark_imported("bondi")
        due(bondi, seconds=-1)
        tasks.tick()
        tasks.sync_clinic(schema_name=bondi.schema_name)
    due(bondi, seconds=-1)
    tasks.tick()
    assert lines == [LONG_QUEUE, LONG_QUEUE, SHORT_QUEUE]


def test_who_was_woken_meanwhile_is_not_put_off(bondi: Clinic) -> None:
    tasks.mark_due(bondi.schema_name)
    tasks.postpone(bondi.schema_name, timezone.now() + tasks.BLOCKED_INTERVAL)
    assert bondi.schema_name in dict(tasks.take_due_clinics())
