"""The sync against the sandbox: no patient is lost, and no clinic gets another's."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import DataError
from django.db import connection as database
from django.utils import timezone

from audit.log import OPS
from sandbox.cliniko.clock import format_time
from sync.cliniko.client import ApiKey
from sync.cliniko.errors import ClinikoError, KeyForbidden, KeyInvalid, KeyRefused, RateLimited
from sync.connection import connect
from sync.connection import state as connection_state
from sync.models import Connection, Cursor, MedicalAlert, Patient, Practitioner, RefusedPayload, SyncRun
from sync.read import patients
from sync.read.status import current
from sync.resources import PATIENTS, Resource
from sync.walk import run as walk_run
from sync.walk import slice, store
from sync.walk.lease import Lease, LeaseHeld, LeaseLost
from sync.walk.schedule import mark_all_due, reconcile_all
from sync.walk.slice import WalkProgress
from sync.walk.store import ReadPage, store_page
from tenants.context import clinic_context
from tenants.models import KeyBudget
from tests.cliniko_sandbox import Sandbox

Connect = Callable[[str], Sandbox]
A_WHILE_AGO = format_time(timezone.now() - timedelta(days=3))


def add_patients(sandbox: Sandbox, label: str, count: int, **fields: str) -> list[str]:
    return [
        sandbox.store.add_patient(
            label, first_name=f"P{number}", created_at=A_WHILE_AGO, updated_at=A_WHILE_AGO, **fields
        )
        for number in range(count)
    ]


def test_import_includes_archived_patients(connected: Connect) -> None:
    sandbox = connected("bondi")
    ids = add_patients(sandbox, "bondi", 230)
    sandbox.store.archive("bondi", ids[7])
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        assert set(Patient.objects.values_list("cliniko_id", flat=True)) == set(ids)
        assert Patient.objects.get(cliniko_id=ids[7]).archived_at
        assert SyncRun.objects.filter(result=SyncRun.Result.DONE).count() == 1


def test_clinics_with_the_same_ids_keep_their_own_patients(connected: Connect) -> None:
    sandbox = connected("bondi")
    connected("harbour")
    for label, name in (("bondi", "Ada"), ("harbour", "Ben")):
        sandbox.store.add_patient(label, id="42", first_name=name)
    for label in ("bondi", "harbour", "bondi"):
        sandbox.sync(label)
    assert sandbox.mirrored_names("bondi") == {"42": "Ada"}
    assert sandbox.mirrored_names("harbour") == {"42": "Ben"}


def test_tick_reads_edits_and_new_patients(connected: Connect) -> None:
    sandbox = connected("bondi")
    first, *_ = add_patients(sandbox, "bondi", 3)
    sandbox.sync("bondi")
    sandbox.store.edit("bondi", "patients", first, first_name="Renamed")
    new = sandbox.store.add_patient("bondi", first_name="New")
    sandbox.sync("bondi")
    names = sandbox.mirrored_names("bondi")
    assert (names[first], names[new]) == ("Renamed", "New")


def test_archived_and_merged_patients_reach_the_mirror(connected: Connect) -> None:
    sandbox = connected("bondi")
    gone, loser, survivor = add_patients(sandbox, "bondi", 3)
    sandbox.store.add_alert("bondi", loser, "Penicillin allergy")
    sandbox.sync("bondi")
    sandbox.store.archive("bondi", gone)
    sandbox.store.merge("bondi", loser, survivor)
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        assert Patient.objects.get(cliniko_id=gone).archived_at
        assert Patient.objects.get(cliniko_id=loser).merged_into == survivor
        record = patients.get(survivor)
        assert record is not None
        assert [alert.name for alert in record.alerts] == ["Penicillin allergy"]


def test_edits_between_the_pages_of_an_import_lose_no_patient(connected: Connect) -> None:
    sandbox = connected("bondi")
    ids = add_patients(sandbox, "bondi", 450)

    def edit_in_between(resource: Resource, progress: WalkProgress) -> None:
        if resource.name == "patients":
            for cliniko_id in ids[:150:10]:
                sandbox.store.edit("bondi", "patients", cliniko_id, first_name=f"Page{progress.done}")
            sandbox.store.add_patient("bondi", first_name="Late")

    with clinic_context("bondi"):
        walk_run.run_sync(on_page=edit_in_between)
    sandbox.sync("bondi")
    assert sandbox.mirrored_names("bondi") == {
        cliniko_id: sandbox.store.patient("bondi", cliniko_id).body["first_name"]  # type: ignore[union-attr]
        for cliniko_id in sandbox.mirrored_names("bondi")
    }
    assert set(ids) <= sandbox.mirrored_names("bondi").keys()
    assert list(sandbox.mirrored_names("bondi").values()).count("Late") == 5


def test_tick_reads_hundreds_of_records_from_one_second(connected: Connect) -> None:
    sandbox = connected("bondi")
    ids = add_patients(sandbox, "bondi", 320)
    sandbox.sync("bondi")
    at_once = format_time(timezone.now())
    for cliniko_id in reversed(ids):
        sandbox.store.edit("bondi", "patients", cliniko_id, first_name="Bulk", updated_at=at_once)
    later = sandbox.store.add_patient("bondi", first_name="Later")
    sandbox.sync("bondi")
    names = sandbox.mirrored_names("bondi")
    assert {names[cliniko_id] for cliniko_id in ids} == {"Bulk"}
    assert names[later] == "Later"


def test_import_stopped_after_every_page_resumes_without_repeated_requests(connected: Connect) -> None:
    sandbox = connected("bondi")
    connected("harbour")
    before = {label: sandbox.store.count_requests(label) for label in ("bondi", "harbour")}
    ids = {label: add_patients(sandbox, label, 250) for label in ("bondi", "harbour")}
    with clinic_context("bondi"):
        while not walk_run.run_sync(pages=1, everything=False):
            continue
    with clinic_context("harbour"):
        walk_run.run_sync()
    spent = [sandbox.store.count_requests(label) - before[label] for label in ("bondi", "harbour")]
    assert spent[0] == spent[1]
    for label in ("bondi", "harbour"):
        assert sandbox.mirrored_names(label).keys() == set(ids[label])


def test_error_between_rows_and_cursor_rolls_back_both(connected: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = connected("bondi")
    add_patients(sandbox, "bondi", 120)

    def write_and_die(page: ReadPage, *, sequence: int, isolate: bool) -> int:
        store_page(page, sequence=sequence, isolate=isolate)
        raise RuntimeError("the worker died")

    with clinic_context("bondi"):
        with monkeypatch.context() as patched:
            patched.setattr(slice, "store_page", write_and_die)
            with pytest.raises(RuntimeError):
                walk_run.run_sync()
        assert not Practitioner.objects.exists()
        assert not Cursor.objects.exclude(imported_at=None, after_id="").exclude(resource__endswith="/deleted").exists()
        walk_run.run_sync()
    assert len(sandbox.mirrored_names("bondi")) == 120


def test_unchanged_records_are_not_written_again(connected: Connect) -> None:
    sandbox = connected("bondi")
    add_patients(sandbox, "bondi", 5)
    sandbox.sync("bondi")
    versions = "SELECT cliniko_id, xmin::text FROM sync_patient ORDER BY 1"
    with clinic_context("bondi"), database.cursor() as cursor:
        before = cursor.execute(versions).fetchall()
        reconcile_all()
        walk_run.run_sync()
        assert cursor.execute(versions).fetchall() == before


def test_refused_key_stops_polling_until_it_is_replaced(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.sync("bondi")
    sandbox.store.revoke_key(sandbox.store.key("bondi"))
    with clinic_context("bondi"):
        mark_all_due()
        assert walk_run.run_slice(seconds=5, pages=50).blocked
        assert connection_state.load().state == Connection.State.KEY_INVALID
        before = sandbox.store.count_requests()
        assert walk_run.run_slice(seconds=5, pages=50).blocked
        assert sandbox.store.count_requests() == before
        connect.connect(ApiKey(sandbox.store.issue_key("bondi")), by=OPS)
        assert walk_run.run_slice(seconds=5, pages=50) == walk_run.SliceOutcome()
        assert connection_state.load().state == Connection.State.OK


def test_forbidden_resource_does_not_stop_the_others(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.forbid(sandbox.store.key("bondi"), "medical_alerts")
    (patient_id,) = add_patients(sandbox, "bondi", 1)
    sandbox.store.add_appointment("bondi", patient_id, format_time(timezone.now() + timedelta(days=1)))
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        record = patients.get(patient_id)
        assert record is not None
        assert "can't read them" in record.alerts_warning
        assert len(record.upcoming) == 1
        assert connection_state.load().state == Connection.State.OK


def test_rate_limit_ends_the_slice_and_no_request_is_made_before_it_resets(connected: Connect) -> None:
    sandbox = connected("bondi")
    add_patients(sandbox, "bondi", 300)
    sandbox.store.set_requests_per_minute("bondi", 2)
    with clinic_context("bondi"):
        with pytest.raises(RateLimited):
            walk_run.run_sync()
        connection = connection_state.load()
        assert connection.state == Connection.State.RATE_LIMITED
        assert connection.resume_at is not None
        assert timedelta(0) < connection.resume_at - timezone.now() <= timedelta(seconds=61)
        before = sandbox.store.count_requests()
        assert walk_run.run_slice(seconds=5, pages=50).resume_at == connection.resume_at
        assert sandbox.store.count_requests() == before
        sandbox.store.set_requests_per_minute("bondi", None)
        Connection.objects.update(resume_at=timezone.now())
    KeyBudget.objects.update(blocked_until=None)
    sandbox.sync("bondi")
    assert len(sandbox.mirrored_names("bondi")) == 300


def test_key_of_another_account_must_be_confirmed(connected: Connect) -> None:
    sandbox = connected("bondi")
    with clinic_context("bondi"):
        stored = connection_state.load().sealed_key
        other = ApiKey(sandbox.store.key("harbour"))
        with pytest.raises(connect.AnotherAccount, match="Nothing was changed"):
            connect.connect(other, by=OPS)
        assert connection_state.load().sealed_key == stored
        assert connect.connect(other, by=OPS, confirm_other_account=True).account == "Harbour Osteopathy"


def test_key_that_does_not_work_is_never_stored(connected: Connect) -> None:
    sandbox = connected("bondi")
    working = sandbox.store.key("bondi")
    blind = sandbox.store.issue_key("bondi")
    sandbox.store.forbid(blind, "patients")
    with clinic_context("bondi"):
        stored = connection_state.load().sealed_key
        for bad, refusal in (("MS0xLW5vdC1hLWtleQ-au1", KeyInvalid), (blind, KeyForbidden)):
            with pytest.raises(refusal):
                connect.connect(ApiKey(bad), by=OPS)
        with pytest.raises(KeyRefused):
            ApiKey("two words")
        assert connection_state.load().sealed_key == stored
    assert working
    sandbox.sync("bondi")


def test_one_process_at_a_time_syncs_a_clinic(connected: Connect) -> None:
    sandbox = connected("bondi")
    with clinic_context("bondi"):
        with Lease(), pytest.raises(LeaseHeld):
            walk_run.run_sync()
        assert walk_run.run_sync()
    connected("harbour")
    with clinic_context("harbour"), Lease():
        pass
    assert sandbox.store.count_requests("bondi")


def test_worker_that_lost_its_lease_writes_nothing(connected: Connect) -> None:
    sandbox = connected("bondi")
    add_patients(sandbox, "bondi", 250)

    def lose(resource: Resource, progress: WalkProgress) -> None:
        if resource.name == PATIENTS.name:
            Connection.objects.update(lease_token="00000000-0000-0000-0000-000000000001")

    with clinic_context("bondi"):
        with pytest.raises(LeaseLost):
            walk_run.run_sync(on_page=lose)
        assert Patient.objects.count() == 100
        assert Cursor.objects.get(resource="patients").after_id == Patient.objects.latest("cliniko_id").cliniko_id


def test_backoff_grows_while_cliniko_is_unreachable(connected: Connect, settings: object) -> None:
    connected("bondi")
    settings.CLINIKO_API_URL = "http://127.0.0.1:9/{shard}"  # type: ignore[attr-defined]
    waits = []
    with clinic_context("bondi"):
        for _ in range(3):
            with pytest.raises(ClinikoError):
                walk_run.run_sync()
            connection = connection_state.load()
            assert connection.resume_at is not None
            waits.append(connection.resume_at - timezone.now())
        assert connection.state == Connection.State.UNREACHABLE
        assert waits[0] < waits[1] < waits[2] < timedelta(minutes=15)
        assert "keep trying" in current().sentence


def test_archived_alerts_are_not_shown(connected: Connect) -> None:
    sandbox = connected("bondi")
    (patient_id,) = add_patients(sandbox, "bondi", 1)
    alert = sandbox.store.add_alert("bondi", patient_id, "Latex allergy")
    sandbox.sync("bondi")
    sandbox.store.archive("bondi", alert, resource="medical_alerts")
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        record = patients.get(patient_id)
        assert record is not None
        assert not record.alerts
        assert MedicalAlert.objects.count() == 1


@pytest.mark.parametrize("hostile", ["evil.example/", "a@evil", "", "-", "a b"])
def test_malformed_subdomain_is_not_used_in_links(sandbox: Sandbox, hostile: str) -> None:
    with sandbox.store.writing() as accounts:
        accounts.execute("UPDATE accounts SET settings = json_set(settings, '$.account.subdomain', ?)", (hostile,))
    sandbox.connect("bondi")
    with clinic_context("bondi"):
        assert patients.clinic_facts().cliniko_url == ""


def test_appointment_names_a_practitioner_who_left(connected: Connect) -> None:
    sandbox = connected("bondi")
    (patient_id,) = add_patients(sandbox, "bondi", 1)
    sandbox.store.add_appointment("bondi", patient_id, format_time(timezone.now() + timedelta(days=1)))
    first = sandbox.store.all("bondi", "practitioners")[0]
    sandbox.store.edit("bondi", "practitioners", first.id, active=False)
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        record = patients.get(patient_id)
    assert record is not None
    assert record.upcoming[0].practitioner


def test_group_appointments_are_among_their_attendees_appointments(connected: Connect) -> None:
    sandbox = connected("bondi")
    ada, bo = add_patients(sandbox, "bondi", 2)
    coming = sandbox.store.add_class("bondi", format_time(timezone.now() + timedelta(days=1)))
    past = sandbox.store.add_class("bondi", format_time(timezone.now() - timedelta(days=1)))
    place = sandbox.store.add_attendee("bondi", coming, ada)
    sandbox.store.add_attendee("bondi", past, ada, arrived=False)
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        record = patients.get(ada)
        assert record is not None
        assert [(each.status, bool(each.practitioner)) for each in record.upcoming] == [("booked", True)]
        assert [each.status for each in record.past] == ["did_not_arrive"]
        assert not patients.get(bo).upcoming  # type: ignore[union-attr]
    sandbox.store.cancel_attendee("bondi", place)
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        assert [each.status for each in patients.get(ada).upcoming] == ["cancelled"]  # type: ignore[union-attr]


def test_full_sync_of_a_new_clinic_reads_everything_once(connected: Connect) -> None:
    sandbox = connected("bondi")
    add_patients(sandbox, "bondi", 130)
    before = sandbox.store.count_requests("bondi")
    sandbox.compare("bondi")
    listed = [
        each for each in sandbox.store.requests("bondi")[before:] if each.path.partition("?")[0].endswith("/patients")
    ]
    assert len(listed) == 2


def test_value_that_the_database_rejects_costs_one_record_and_the_walk_continues(
    connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = connected("bondi")
    for cliniko_id, name in (("42", "Ada"), ("43", "Ben"), ("44", "Cleo")):
        sandbox.store.add_patient("bondi", id=cliniko_id, first_name=name)
    execute = store.execute

    def refuse_43(statement: str, parameters: dict[str, list[str]]) -> int:
        if "43" in parameters["ids"]:
            raise DataError("value overflows numeric format")
        return execute(statement, parameters)

    monkeypatch.setattr(store, "execute", refuse_43)
    sandbox.sync("bondi")
    assert sandbox.mirrored_names("bondi") == {"42": "Ada", "44": "Cleo"}
    with clinic_context("bondi"):
        assert [*RefusedPayload.objects.values_list("cliniko_id", "patient_id")] == [("43", "")]
        assert Cursor.objects.get(resource="patients").imported_at
