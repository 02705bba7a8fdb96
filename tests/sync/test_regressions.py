"""Regressions: each of these once led to the wrong patient or lost a record."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from audit.log import OPS, Action, AuditUnavailable
from audit.models import Event
from ops.sync_command import sync_in_foreground
from sandbox.cliniko.clock import format_time
from sync import tasks
from sync.cliniko.client import ApiKey, Cliniko, Page
from sync.cliniko.errors import (
    BudgetSpent,
    ClinikoError,
    KeyForbidden,
    KeyInvalid,
    NotFilterable,
    RateLimited,
    RequestRefused,
    ServerError,
    Unreachable,
)
from sync.connection import connect
from sync.connection import state as connection_state
from sync.models import Connection, Cursor, Patient, PatientRefresh, Reconciliation
from sync.read import patients
from sync.read.status import current
from sync.refresh import Outcome, refresh_patient
from sync.resources import ALERTS, PATIENTS, Resource
from sync.walk import reconcile
from sync.walk import run as walk_run
from sync.walk.keyset import advance, next_query
from sync.walk.lease import LeaseLost
from sync.walk.slice import WalkProgress
from sync.walk.store import mark_deleted, next_sequence, write_page
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.cliniko_sandbox import Sandbox
from tests.payloads import alert_payload, patient_payload

Connect = Callable[[str], Sandbox]
Answer = Callable[..., Page]


def raising(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


def alerts_of(label: str, patient_id: str) -> list[str]:
    with clinic_context(label):
        record = patients.get(patient_id)
    assert record is not None
    return [alert.name for alert in record.alerts]


def test_alert_added_just_before_the_launch_is_shown(connected: Connect) -> None:
    sandbox = connected("bondi")
    patient_id = sandbox.store.add_patient("bondi", id="42")
    sandbox.sync("bondi")
    alert = sandbox.store.add_alert("bondi", patient_id, "Penicillin allergy")
    with clinic_context("bondi"):
        assert refresh_patient(patient_id) == Outcome.FRESH
    assert alerts_of("bondi", patient_id) == ["Penicillin allergy"]
    sandbox.store.delete("bondi", alert, resource="medical_alerts")
    with clinic_context("bondi"):
        time.sleep(2.1)  # a refresh is valid for two seconds
        assert refresh_patient(patient_id) == Outcome.FRESH
    assert alerts_of("bondi", patient_id) == []


def test_patient_is_not_up_to_date_while_alerts_fail(connected: Connect, answering: Callable[..., None]) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42")
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        Cursor.objects.update(checked_at=timezone.now() - timedelta(minutes=5))
        answering("medical_alerts", raising(ServerError("500")))
        refresh_patient("42")
        record = patients.get("42")
    assert record is not None
    assert record.checked_at is not None
    assert timezone.now() - record.checked_at > timedelta(minutes=4)


def test_patient_is_not_up_to_date_before_the_screen_says_that_alerts_are_forbidden(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42")
    sandbox.sync("bondi")
    sandbox.store.forbid(sandbox.store.key("bondi"), "medical_alerts")
    with clinic_context("bondi"):
        assert refresh_patient("42") == Outcome.FRESH
        assert PatientRefresh.objects.get().checked_at is None
        walk_run.run_sync()
        PatientRefresh.objects.all().delete()
        assert refresh_patient("42") == Outcome.FRESH
        assert PatientRefresh.objects.get().checked_at is not None
        record = patients.get("42")
    assert record is not None
    assert "can't read them" in record.alerts_warning


def test_alerts_of_a_merged_patient_are_shown_for_the_survivor(bondi: Clinic) -> None:
    merged = {"merged_with_patient": {"links": {"self": "https://api.au1.cliniko.com/v1/patients/42"}}}
    with clinic_context("bondi"):
        write_page(PATIENTS, [patient_payload("42"), patient_payload("43", **merged)], sequence=next_sequence())
        write_page(ALERTS, [alert_payload("1", "43", "Pacemaker")], sequence=next_sequence())
    assert alerts_of("bondi", "42") == ["Pacemaker"]


def test_alert_that_cannot_be_parsed_is_mentioned(bondi: Clinic, mark_imported: Callable[[str], None]) -> None:
    with clinic_context("bondi"):
        write_page(PATIENTS, [patient_payload("42")], sequence=next_sequence())
        write_page(ALERTS, [alert_payload("1", "42", "Pacemaker", archived_at="never")], sequence=next_sequence())
    mark_imported("bondi")
    with clinic_context("bondi"):
        record = patients.get("42")
    assert record is not None
    assert "Some alerts couldn't be read" in record.alerts_warning


def test_moving_to_another_account_deletes_the_former_accounts_data(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Theirs", updated_at=format_time(timezone.now()))
    sandbox.store.add_patient("harbour", id="42", first_name="Ours", updated_at="2026-01-01T00:00:00Z")
    sandbox.store.add_patient("bondi", id="43", first_name="Only theirs")
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        connect.connect(ApiKey(sandbox.store.key("harbour")), by=OPS, confirm_other_account=True)
        assert not Patient.objects.exists()
    sandbox.sync("bondi")
    assert sandbox.mirrored_names("bondi") == {"42": "Ours"}


def test_account_since_is_set_when_the_account_changes(connected: Connect) -> None:
    sandbox = connected("bondi")
    with clinic_context("bondi"):
        connect.connect(ApiKey(sandbox.store.issue_key("bondi")), by=OPS)
        assert patients.account_since() is None
        before = timezone.now()
        connect.connect(ApiKey(sandbox.store.key("harbour")), by=OPS, confirm_other_account=True)
        since = patients.account_since()
        assert since is not None
        # Screens that were loading then still show the former account.
        assert before + connect.ACCOUNT_CHANGE_GRACE <= since <= timezone.now() + connect.ACCOUNT_CHANGE_GRACE
        connect.connect(ApiKey(sandbox.store.issue_key("harbour")), by=OPS)
        assert patients.account_since() == since


def test_key_change_is_audited_and_a_refused_key_is_not(connected: Connect) -> None:
    sandbox = connected("bondi")
    key = ApiKey(sandbox.store.issue_key("bondi"))
    with clinic_context("bondi"):
        before = Event.objects.count()
        connect.connect(key, by=OPS)
        line = Event.objects.latest("pk")
        assert (Event.objects.count(), line.action, line.user_email) == (before + 1, Action.KEY_CHANGED, "ops")
        assert line.details == {"key": f"…{key.last4}", "account": "Bondi Physio"}
        with pytest.raises(connect.AnotherAccount):
            connect.connect(ApiKey(sandbox.store.key("harbour")), by=OPS)
        assert Event.objects.count() == before + 1


def test_key_is_not_stored_if_the_audit_log_fails(connected: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = connected("bondi")

    def fail(*_: object, **__: object) -> None:
        raise AuditUnavailable

    monkeypatch.setattr(connect, "record", fail)
    with clinic_context("bondi"):
        before = connection_state.load().key_last4
        with pytest.raises(AuditUnavailable):
            connect.connect(ApiKey(sandbox.store.issue_key("bondi")), by=OPS)
        assert connection_state.load().key_last4 == before


def test_first_key_activates_the_clinic_and_sets_its_name(sandbox: Sandbox, bondi: Clinic, harbour: Clinic) -> None:
    Clinic.objects.update(state=Clinic.State.SETUP, name="To be named", sync_due_at=timezone.now() + timedelta(hours=1))
    sandbox.connect("bondi")
    bondi.refresh_from_db()
    harbour.refresh_from_db()
    assert (bondi.state, bondi.name, bondi.sync_due_at <= timezone.now()) == ("active", "Bondi Physio", True)
    assert (harbour.state, harbour.name) == ("setup", "To be named")


def test_later_key_keeps_the_clinics_state_and_updates_its_name(connected: Connect, bondi: Clinic) -> None:
    sandbox = connected("bondi")
    Clinic.objects.filter(pk=bondi.pk).update(state="closing", closing_on="2040-01-01", name="Bondi before")
    with clinic_context("bondi"):
        connect.connect(ApiKey(sandbox.store.issue_key("bondi")), by=OPS)
    bondi.refresh_from_db()
    assert (bondi.state, bondi.name) == ("closing", "Bondi Physio")


def test_new_key_revokes_the_lease_of_a_worker_with_the_former_key(connected: Connect) -> None:
    sandbox = connected("bondi")
    for _ in range(120):
        sandbox.store.add_patient("bondi", first_name="Theirs")

    def change_key(resource: Resource, progress: WalkProgress) -> None:
        if resource.name == "patients":
            connect.connect(ApiKey(sandbox.store.key("harbour")), by=OPS, confirm_other_account=True)

    with clinic_context("bondi"):
        with pytest.raises(LeaseLost):
            walk_run.run_sync(on_page=change_key)
        assert not Patient.objects.exists()


def test_account_without_a_subdomain_is_never_assumed_to_be_the_same(connected: Connect) -> None:
    sandbox = connected("bondi")
    with clinic_context("bondi"):
        Connection.objects.update(account_subdomain="")
        with pytest.raises(connect.AnotherAccount):
            connect.connect(ApiKey(sandbox.store.key("harbour")), by=OPS)


def test_foreground_sync_makes_no_request_before_the_rate_limit_resets(connected: Connect) -> None:
    sandbox = connected("bondi")
    requests = sandbox.store.count_requests()
    with clinic_context("bondi"):
        resume_at = timezone.now() + timedelta(minutes=1)
        Connection.objects.update(state=Connection.State.RATE_LIMITED, resume_at=resume_at)
        with pytest.raises(RateLimited) as limit:
            walk_run.run_sync()
    assert limit.value.until == resume_at
    assert sandbox.store.count_requests() == requests


def test_crowded_second_is_read_to_its_last_fraction() -> None:
    at = datetime(2026, 3, 1, 10, 0, 5, tzinfo=UTC)
    query = next_query(Cursor(imported_at=at, cursor=at, position=at, after_id="7"))
    assert query.filters == ("updated_at:>=2026-03-01T10:00:05Z", "updated_at:<2026-03-01T10:00:06Z", "id:>7")


def test_cursor_does_not_follow_a_clock_that_runs_ahead() -> None:
    now = timezone.now()
    cursor = Cursor(resource="patients", imported_at=now, cursor=now - timedelta(minutes=5))
    tomorrow = Page(records=[], has_more=False, total=0, clock=now + timedelta(days=1))
    assert advance(cursor, tomorrow, overlap=timedelta(seconds=60), now=now)
    assert cursor.cursor == now - timedelta(seconds=60)


def test_worker_never_postpones_a_clinic_forever(connected: Connect, answering: Callable[..., None]) -> None:
    connected("bondi")
    schema = Clinic.objects.get(label="bondi").schema_name
    answering("patients", raising(KeyInvalid("401 once")))
    Clinic.objects.update(sync_due_at=timezone.now() + timedelta(seconds=50))
    tasks.sync_clinic(schema_name=schema)
    postponed = Clinic.objects.get(label="bondi").sync_due_at - timezone.now()
    assert timedelta(0) < postponed <= tasks.BLOCKED_INTERVAL


def test_successful_foreground_sync_marks_the_clinic_as_due(connected: Connect) -> None:
    connected("bondi")
    Clinic.objects.filter(label="bondi").update(sync_due_at=timezone.now() + timedelta(hours=1))
    with clinic_context("bondi"):
        Connection.objects.update(state=Connection.State.KEY_INVALID)
    assert sync_in_foreground("bondi", full=False, quiet=True)["state"] == "ok"
    assert Clinic.objects.get(label="bondi").sync_due_at <= timezone.now()


def test_refusal_for_another_reason_does_not_hide_archived_records(
    connected: Connect, answering: Callable[..., None]
) -> None:
    connected("bondi")
    answering("medical_alerts", raising(RequestRefused("Cliniko refused the request with status 408.")))
    with clinic_context("bondi"):
        assert walk_run.run_sync()
        cursor = Cursor.objects.get(resource="medical_alerts")
        assert cursor.asks_hidden
        assert cursor.failures == 1


def test_launch_restores_a_tombstone_from_a_wrong_404(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42")
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        mark_deleted(PATIENTS, ["42"], sequence=next_sequence())
        assert refresh_patient("42") == Outcome.FRESH
        assert Patient.objects.get(cliniko_id="42").deleted_at is None


def test_version_from_before_the_deletion_does_not_restore_a_tombstone(bondi: Clinic) -> None:
    with clinic_context("bondi"):
        write_page(PATIENTS, [patient_payload("42")], sequence=next_sequence())
        before = next_sequence()
        mark_deleted(PATIENTS, ["42"], sequence=next_sequence())
        write_page(PATIENTS, [patient_payload("42", updated_at="2026-02-01T00:00:00Z")], sequence=before)
        assert Patient.objects.get(cliniko_id="42").deleted_at


def test_answer_that_cannot_be_parsed_is_not_fresh(connected: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Before")
    sandbox.sync("bondi")
    monkeypatch.setattr(Cliniko, "record", lambda *_: patient_payload("42", updated_at="yesterday"))
    with clinic_context("bondi"):
        assert refresh_patient("42") == Outcome.UNREADABLE
    assert sandbox.mirrored_names("bondi") == {"42": "Before"}


def test_malformed_date_of_birth_does_not_reject_the_patient(bondi: Clinic) -> None:
    with clinic_context("bondi"):
        write_page(PATIENTS, [patient_payload("42", date_of_birth="17/04/1990")], sequence=next_sequence())
        assert Patient.objects.get(cliniko_id="42").date_of_birth is None


def test_forbidden_patients_are_reported_and_the_rest_is_synced(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.forbid(sandbox.store.key("bondi"), "patients")
    with clinic_context("bondi"):
        with pytest.raises(KeyForbidden):
            walk_run.run_sync()
        assert current().state == Connection.State.KEY_FORBIDDEN
        assert Cursor.objects.get(resource="individual_appointments").checked_at
        sandbox.store.forbid(sandbox.store.key("bondi"))
        assert walk_run.run_sync()
        assert current().state == Connection.State.OK


def test_failing_list_does_not_stop_the_others(connected: Connect, answering: Callable[..., None]) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42")
    answering("appointment_types", raising(ServerError("500")))
    with clinic_context("bondi"):
        assert walk_run.run_sync()
        assert Patient.objects.count() == 1
        failed = Cursor.objects.get(resource="appointment_types")
        assert failed.failures == 1
        assert failed.due_at > timezone.now()
        assert connection_state.load().state == Connection.State.OK


@pytest.mark.parametrize("broken", [{"id": None}, {"updated_at": ""}])
def test_record_that_cannot_be_parsed_does_not_stop_a_walk(broken: dict[str, Any]) -> None:
    records = [patient_payload("1"), patient_payload("2") | broken, patient_payload("3")]
    page = Page(records, has_more=True, total=4, clock=timezone.now())
    cursor = Cursor(resource="patients")
    assert not advance(cursor, page, overlap=timedelta(0), now=timezone.now())
    assert cursor.after_id == "3"


@pytest.fixture
def trickling() -> Iterator[str]:
    """The URL of a server that sends a byte every half second for six seconds."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n")
                for _ in range(12):
                    time.sleep(0.5)
                    try:
                        peer.sendall(b" ")
                    except OSError:
                        return

        threading.Thread(target=drip, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_trickling_response_times_out(connected: Connect, trickling: str, settings: Settings) -> None:
    connected("bondi")
    settings.CLINIKO_API_URL = trickling
    began = time.monotonic()
    with clinic_context("bondi"):
        assert refresh_patient("42", timeout=2.0) == Outcome.UNREACHABLE
    assert time.monotonic() - began < 5


def test_same_subdomain_on_another_shard_is_another_account(connected: Connect) -> None:
    sandbox = connected("bondi")
    with clinic_context("bondi"):
        Connection.objects.update(shard="uk1")
        with pytest.raises(connect.AnotherAccount):
            connect.connect(ApiKey(sandbox.store.key("bondi")), by=OPS)


def test_launch_of_a_merged_patient_leaves_the_alerts_to_the_survivor(connected: Connect) -> None:
    sandbox = connected("bondi")
    for cliniko_id in ("42", "43"):
        sandbox.store.add_patient("bondi", id=cliniko_id)
    sandbox.store.add_alert("bondi", "43", "Pacemaker")
    sandbox.sync("bondi")
    sandbox.store.merge("bondi", "43", "42")
    with clinic_context("bondi"):
        assert refresh_patient("43") == Outcome.FRESH
    assert alerts_of("bondi", "42") == ["Pacemaker"]


def test_comparison_requested_during_another_runs_after_it(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        for _ in range(2):
            reconcile.request_comparison(PATIENTS)
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        state = Reconciliation.objects.get(resource="patients")
        assert state.due_at - timezone.now() < timedelta(minutes=12)
        assert not state.requested_again


def test_deletions_are_found_if_their_list_cannot_be_filtered_by_time(
    connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Gone")
    sandbox.store.add_patient("bondi", id="43", first_name="Here")
    sandbox.sync("bondi")
    sandbox.store.delete("bondi", "42")
    real: Answer = Cliniko.list

    def list_without_filter(self: Cliniko, name: str, **query: Any) -> Page:
        if query.get("subset") == "deleted" and any("updated_at" in each for each in query.get("filters", ())):
            raise NotFilterable("updated_at is not filterable")
        return real(self, name, **query)

    monkeypatch.setattr(Cliniko, "list", list_without_filter)
    sandbox.sync("bondi")
    assert sandbox.mirrored_names("bondi") == {"43": "Here"}


def test_postponed_comparison_resumes_on_request(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        reconcile.request_comparison(PATIENTS)
        reconcile.postpone(PATIENTS)
        assert PATIENTS not in reconcile.due_resources()
        reconcile.request_comparison(PATIENTS)
        assert PATIENTS in reconcile.due_resources()


PATIENTS_PAGE = Page([], has_more=False, total=0, clock=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "end",
    [
        PATIENTS_PAGE,
        KeyInvalid("401"),
        KeyForbidden("403"),
        ServerError("500"),
        Unreachable("A time-out."),
        RateLimited(datetime(2100, 1, 1, tzinfo=UTC)),
        BudgetSpent(datetime(2100, 1, 1, tzinfo=UTC)),
    ],
    ids=lambda end: type(end).__name__,
)
def test_pause_survives_the_slice_that_was_running(
    connected: Connect, answering: Callable[..., None], end: Page | ClinikoError
) -> None:
    connected("bondi")
    connected("harbour")

    def pause_and_answer() -> Page:
        Connection.objects.update(state=Connection.State.PAUSED)
        if isinstance(end, Page):
            return end
        raise end

    answering("patients", pause_and_answer)
    with clinic_context("bondi"):
        walk_run.run_slice(seconds=60, pages=60)
        assert connection_state.load().state == Connection.State.PAUSED
        assert walk_run.run_slice(seconds=60, pages=60) == walk_run.SliceOutcome(blocked=True)
    with clinic_context("harbour"):
        assert connection_state.load().state == Connection.State.OK
