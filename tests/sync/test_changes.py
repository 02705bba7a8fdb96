"""Changes of patients, recorded field by field by a trigger."""

from collections.abc import Callable
from typing import Any

import pytest

from sync.models import Patient, PatientChange
from sync.refresh import refresh_patient
from sync.resources import PATIENTS
from sync.walk.store import mark_deleted, next_sequence, write_page
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.cliniko_sandbox import Sandbox
from tests.payloads import patient_payload

Change = tuple[str, Any, Any]
Connect = Callable[[str], Sandbox]
LATER = "2026-02-01T00:00:00Z"


@pytest.fixture(autouse=True)
def _mirrored(bondi: Clinic, harbour: Clinic) -> None:
    """Patient 42 is mirrored at both clinics."""
    for label in ("bondi", "harbour"):
        read(label)


def read(at: str = "bondi", cliniko_id: str = "42", **fields: Any) -> None:
    with clinic_context(at):
        write_page(PATIENTS, [patient_payload(cliniko_id, **fields)], sequence=next_sequence())


def changes(label: str = "bondi", cliniko_id: str = "42") -> list[Change]:
    with clinic_context(label):
        rows = PatientChange.objects.filter(patient_id=cliniko_id).order_by("id")
        return [(row.field, row.before, row.after) for row in rows]


def test_first_reading_records_no_change() -> None:
    read(cliniko_id="43", first_name="New")
    assert changes() == changes(cliniko_id="43") == []


def test_edit_is_recorded_with_its_previous_value() -> None:
    read(first_name="Adele", updated_at=LATER)
    assert changes() == [("first_name", "Ada", "Adele")]


def test_every_changed_field_is_recorded_separately() -> None:
    read(first_name="Adele", accepted_privacy_policy=False, updated_at=LATER)
    assert sorted(changes()) == [("accepted_privacy_policy", True, False), ("first_name", "Ada", "Adele")]


def test_consecutive_edits_are_both_recorded() -> None:
    read(first_name="Adele", updated_at=LATER)
    read(first_name="Ada", updated_at=LATER)
    assert changes() == [("first_name", "Ada", "Adele"), ("first_name", "Adele", "Ada")]


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("patient_phone_numbers", [{"phone_type": "Mobile", "number": "0491 570 006"}], []),
        ("archived_at", None, LATER),
        ("merged_with_patient", None, {"links": {"self": "https://api.au1.cliniko.com/v1/patients/7"}}),
        ("notes", None, "Bring the scan."),
        ("city", "Bondi", None),
        ("sex", "Female", ""),
    ],
)
def test_changes_of_lists_times_links_and_empty_values_are_recorded(field: str, before: Any, after: Any) -> None:
    read(**{field: after}, updated_at=LATER)
    assert changes() == [(field, before, after or (after if isinstance(after, list) else None))]


def test_unchanged_reading_records_no_change() -> None:
    read()
    read(updated_at=LATER)
    read(updated_at=LATER)
    assert changes() == []


@pytest.mark.parametrize("field", ["title", "preferred_first_name", "archived_at", "brand_new"])
def test_null_empty_text_and_a_missing_field_are_the_same(field: str) -> None:
    for empty in ("", None, ""):
        read(updated_at=LATER, **dict[str, Any]({field: empty}))
    read(updated_at=LATER)
    assert changes() == []


def test_updated_at_links_and_label_are_not_recorded() -> None:
    read(updated_at=LATER, links={"self": "https://api.uk1.cliniko.com/v1/patients/42"}, label="Ada Lindqvist")
    assert changes() == []


def test_false_differs_from_null() -> None:
    read(accepted_privacy_policy=False, updated_at=LATER)
    read(accepted_privacy_policy=None, updated_at=LATER)
    assert changes() == [("accepted_privacy_policy", True, False), ("accepted_privacy_policy", False, None)]


def test_change_is_recorded_in_its_own_clinic_only() -> None:
    read("harbour", first_name="Ben", updated_at=LATER)
    assert changes("harbour") == [("first_name", "Ada", "Ben")]
    assert changes("bondi") == []


def test_change_is_recorded_for_its_own_patient_only() -> None:
    read(cliniko_id="43")
    read(cliniko_id="43", first_name="Adele", updated_at=LATER)
    assert changes(cliniko_id="43")
    assert changes() == []


def test_older_answer_records_no_change() -> None:
    read(first_name="Before", updated_at="2025-01-01T00:00:00Z")
    assert changes() == []


def test_deletion_records_no_change() -> None:
    with clinic_context("bondi"):
        assert mark_deleted(PATIENTS, ["42"], sequence=next_sequence())
    read()
    assert changes() == []


def test_trigger_records_changes_of_any_writer() -> None:
    with clinic_context("bondi"):
        Patient.objects.filter(cliniko_id="42").update(payload=patient_payload("42", notes="by hand"))
    assert changes() == [("notes", None, "by hand")]


def test_ticks_and_launches_record_each_change_once(connected: Connect) -> None:
    sandbox = connected("bondi")
    patient = sandbox.store.add_patient("bondi", first_name="Ada")
    sandbox.sync("bondi")
    sandbox.store.edit("bondi", "patients", patient, first_name="Adele")
    with clinic_context("bondi"):
        refresh_patient(patient)
    sandbox.sync("bondi")
    sandbox.compare("bondi")
    sandbox.store.edit("bondi", "patients", patient, notes="Bring the scan.")
    sandbox.sync("bondi")
    assert changes(cliniko_id=patient) == [("first_name", "Ada", "Adele"), ("notes", None, "Bring the scan.")]
