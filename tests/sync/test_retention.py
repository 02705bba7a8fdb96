"""Old history and records deleted in Cliniko are removed after the days that the clinic chose."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.log import OPS, Action
from audit.models import Event
from sync import retention, tasks
from sync.models import (
    Appointment,
    Attendee,
    GroupAppointment,
    MedicalAlert,
    Patient,
    PatientChange,
    Reconciliation,
    RefusedPayload,
    RetentionPolicy,
    SyncRun,
)
from sync.read import patients
from sync.refresh import Outcome, refresh_patient
from sync.resources import BY_NAME, PATIENTS
from sync.walk import reconcile
from sync.walk.store import mark_deleted, next_sequence, write_page
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.cliniko_sandbox import Sandbox
from tests.payloads import alert_payload, appointment_payload, attendee_payload, class_payload, patient_payload
from tests.sql import tables_with

Connect = Callable[[str], Sandbox]
LONG_AGO, LATER = "2026-01-02T00:00:00Z", "2026-02-01T00:00:00Z"


def days_ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def write(resource: str, payload: dict[str, Any]) -> None:
    write_page(BY_NAME[resource], [payload], sequence=next_sequence())


def add_patient_with_records(patient: str, word: str, **fields: Any) -> None:
    """Add a patient with every kind of record, each with the word in it."""
    write("patients", patient_payload(patient, first_name="Old", last_name=word, notes=word, **fields))
    write("patients", patient_payload(patient, first_name=word, last_name=word, notes="", **fields, updated_at=LATER))
    write("medical_alerts", alert_payload(f"1{patient}", patient, word))
    write("individual_appointments", appointment_payload(f"2{patient}", patient, "2026-03-01T09:00:00Z", notes=word))
    write("attendees", attendee_payload(f"3{patient}", patient, "8", notes=word))
    write("patients", patient_payload(f"4{patient}", updated_at=None))
    write("medical_alerts", alert_payload(f"5{patient}", patient, word, updated_at=None))


def delete(patient: str, days: float) -> None:
    mark_deleted(PATIENTS, [patient], sequence=next_sequence())
    Patient.objects.filter(cliniko_id=patient).update(deleted_at=days_ago(days))


def run_nightly_deletion(bondi: Clinic) -> None:
    tasks.delete_expired_in_clinic(schema_name=bondi.schema_name)


def test_a_patient_deleted_long_ago_is_reduced_to_the_id(bondi: Clinic, harbour: Clinic) -> None:
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            add_patient_with_records("42", "Gone")
            add_patient_with_records("43", "Lately")
            add_patient_with_records("44", "Lives")
            delete("42", 91)
            delete("43", 89)
    before = tables_with("Gone", "harbour")
    run_nightly_deletion(bondi)
    assert tables_with("Gone") == set()
    assert tables_with("Gone", "harbour") == before
    assert tables_with("Lately") == tables_with("Lives") == before
    with clinic_context("bondi"):
        row = Patient.objects.get(cliniko_id="42")
        assert row.payload == {"id": "42"}
        assert row.deleted_at
        assert (row.date_of_birth, row.sort_name, row.search_names, row.search_phones) == (None, "", "", "")
        assert not PatientChange.objects.filter(patient_id="42").exists()
        assert PatientChange.objects.filter(patient_id="44").exists()
        record = patients.get("42")
        lately = patients.get("43")
    assert record is not None
    assert record.is_reduced
    assert lately is not None
    assert not lately.is_reduced


def test_other_deleted_records_are_removed_too_and_names_stay(bondi: Clinic) -> None:
    with clinic_context("bondi"):
        add_patient_with_records("42", "Lives")
        write("group_appointments", class_payload("8", "2026-03-01T09:00:00Z"))
        write("practitioners", {"id": "1", "display_name": "Kim Key", "updated_at": LATER})
        for name in ("medical_alerts", "individual_appointments", "attendees", "group_appointments", "practitioners"):
            BY_NAME[name].model._default_manager.update(deleted_at=days_ago(91))
    run_nightly_deletion(bondi)
    with clinic_context("bondi"):
        for model in (MedicalAlert, Appointment, Attendee, GroupAppointment):
            assert not model._default_manager.exists()
        assert BY_NAME["practitioners"].model._default_manager.count() == 1
        assert Patient.objects.get(cliniko_id="42").payload["first_name"] == "Lives"


def test_records_of_a_patient_merged_and_then_deleted_stay_with_the_surviving_one(bondi: Clinic) -> None:
    merged = {"merged_with_patient": {"links": {"self": "https://api.au1.cliniko.com/v1/patients/82"}}}
    with clinic_context("bondi"):
        write("patients", patient_payload("82"))
        add_patient_with_records("42", "Penicillin", **merged)
        delete("42", 91)
    run_nightly_deletion(bondi)
    with clinic_context("bondi"):
        survivor = patients.get("82")
        merged_patient = Patient.objects.get(cliniko_id="42")
    assert survivor is not None
    assert [alert.name for alert in survivor.alerts] == ["Penicillin"]
    assert merged_patient.payload == {"id": "42"}
    assert merged_patient.merged_into == "82"


def test_a_patient_restored_in_cliniko_is_complete_again_without_recorded_changes(connected: Connect) -> None:
    sandbox = connected("bondi")
    patient = sandbox.store.add_patient("bondi", first_name="Ada")
    sandbox.sync("bondi")
    with clinic_context("bondi") as clinic:
        delete(patient, 91)
    run_nightly_deletion(clinic)
    sandbox.compare("bondi")
    with clinic_context("bondi"):
        row = Patient.objects.get(cliniko_id=patient)
        assert (row.payload["first_name"], row.deleted_at, row.search_names) == ("Ada", None, "ada")
        assert not PatientChange.objects.exists()


@pytest.mark.parametrize("found_by", ["a launch", "a tick", "the comparison"])
def test_records_of_a_patient_restored_in_cliniko_are_mirrored_again(connected: Connect, found_by: str) -> None:
    sandbox = connected("bondi")
    ada = sandbox.store.add_patient("bondi", first_name="Ada")
    sandbox.store.add_alert("bondi", ada, "Penicillin", updated_at=LONG_AGO)
    sandbox.store.add_appointment("bondi", ada, "2026-03-01T09:00:00Z", updated_at=LONG_AGO)
    sandbox.sync("bondi")
    with clinic_context("bondi") as clinic:
        delete(ada, 91)
        in_some_days = timezone.now() + timedelta(days=3)
        Reconciliation.objects.update(due_at=in_some_days)
    run_nightly_deletion(clinic)
    with clinic_context("bondi"):
        assert not MedicalAlert.objects.exists()
        if found_by == "a launch":
            assert refresh_patient(ada) is Outcome.FRESH
        elif found_by == "a tick":
            sandbox.store.edit("bondi", "patients", ada, first_name="Adah")
        else:
            reconcile.request_comparison(PATIENTS)
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        record = patients.get(ada)
    assert record is not None
    assert record.deleted_at is None
    assert [alert.name for alert in record.alerts] == ["Penicillin"]
    assert len(record.upcoming + record.past) == 1


def test_no_comparison_is_requested_for_a_patient_who_was_deleted_briefly(connected: Connect) -> None:
    sandbox = connected("bondi")
    ada = sandbox.store.add_patient("bondi")
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        due = Reconciliation.objects.in_bulk()
        delete(ada, 1)
        assert refresh_patient(ada) is Outcome.FRESH
        assert {each.pk: each.due_at for each in Reconciliation.objects.all()} == {
            pk: row.due_at for pk, row in due.items()
        }


def test_each_clinic_has_its_own_retention_policy(bondi: Clinic, harbour: Clinic) -> None:
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            add_patient_with_records("42", "Gone")
            delete("42", 40)
            PatientChange.objects.create(patient_id="44", field="city", changed_at=days_ago(40))
            SyncRun.objects.create(result=SyncRun.Result.DONE, started_at=days_ago(31))
    with clinic_context("bondi"):
        assert retention.set_policy(RetentionPolicy(id=1, changes_days=30, deleted_days=30), by=OPS)
        due = retention.due_tonight()
    for clinic in (bondi, harbour):
        run_nightly_deletion(clinic)
    assert (due.changes, due.runs, due.patients, due.records) == (3, 1, 1, 3)
    assert tables_with("Gone") == set()
    assert tables_with("Gone", "harbour") != set()
    with clinic_context("bondi"):
        assert retention.due_tonight() == retention.RemovalCounts(0, 0, 0, 0)
        assert not PatientChange.objects.exists()
    with clinic_context("harbour"):
        assert PatientChange.objects.filter(patient_id="44").exists()


def test_the_night_removes_what_was_announced(bondi: Clinic) -> None:
    with clinic_context("bondi"):
        add_patient_with_records("42", "Gone")
        delete("42", 89.5)  # not due yet, but due by the coming night
        announced = retention.due_tonight()
        assert retention.delete_expired() == retention.RemovalCounts(0, 0, 0, 0)
        Patient.objects.update(deleted_at=days_ago(90.5))
        assert (
            retention.delete_expired() == announced == retention.RemovalCounts(changes=2, runs=0, patients=1, records=3)
        )


def test_a_changed_policy_is_logged_once(bondi: Clinic) -> None:
    with clinic_context("bondi"):
        assert not retention.set_policy(RetentionPolicy(id=1), by=OPS)
        assert retention.set_policy(RetentionPolicy(id=1, deleted_days=30), by=OPS)
        assert not retention.set_policy(RetentionPolicy(id=1, deleted_days=30), by=OPS)
        lines = list(Event.objects.filter(action=Action.SETTINGS_CHANGED).values_list("details", flat=True))
    assert lines == [{"deleted_kept": "30 days"}]


@pytest.mark.parametrize("days", [{"changes_days": 29}, {"changes_days": 731}, {"deleted_days": 6}])
def test_a_policy_outside_the_limits_is_rejected(bondi: Clinic, days: dict[str, int]) -> None:
    with clinic_context("bondi"):
        with pytest.raises(ValidationError):
            RetentionPolicy(id=1, **days).full_clean(validate_constraints=False)
        with pytest.raises(IntegrityError), transaction.atomic():
            RetentionPolicy.objects.create(id=1, **days)


def test_the_access_log_stays(bondi: Clinic) -> None:
    with clinic_context("bondi"):
        add_patient_with_records("42", "Gone")
        delete("42", 91)
        RefusedPayload.objects.all().delete()
        retention.set_policy(RetentionPolicy(id=1, changes_days=30), by=OPS)
        before = list(Event.objects.values())
    run_nightly_deletion(bondi)
    with clinic_context("bondi"):
        assert list(Event.objects.values()) == before
