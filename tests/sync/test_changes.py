"""What Cliniko changed about a patient, field by field, noted by a trigger whoever writes."""

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
def _held(bondi: Clinic, harbour: Clinic) -> None:
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


def test_the_first_reading_of_somebody_is_no_change() -> None:
    read(cliniko_id="43", first_name="New")
    assert changes() == changes(cliniko_id="43") == []


def test_an_edit_is_noted_with_what_was_there_before() -> None:
    read(first_name="Adele", updated_at=LATER)
    assert changes() == [("first_name", "Ada", "Adele")]


def test_every_field_that_changed_is_noted_by_itself() -> None:
    read(first_name="Adele", accepted_privacy_policy=False, updated_at=LATER)
    assert sorted(changes()) == [("accepted_privacy_policy", True, False), ("first_name", "Ada", "Adele")]


def test_each_of_two_edits_is_noted() -> None:
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
def test_a_list_a_moment_a_link_and_emptiness_are_noted(field: str, before: Any, after: Any) -> None:
    read(**{field: after}, updated_at=LATER)
    assert changes() == [(field, before, after or (after if isinstance(after, list) else None))]


def test_what_was_read_before_and_is_unchanged_is_no_change() -> None:
    read()
    read(updated_at=LATER)
    read(updated_at=LATER)
    assert changes() == []


@pytest.mark.parametrize("field", ["title", "preferred_first_name", "archived_at", "brand_new"])
def test_nothing_said_as_null_or_as_an_empty_text_or_not_at_all_is_the_same_nothing(field: str) -> None:
    for empty in ("", None, ""):
        read(updated_at=LATER, **dict[str, Any]({field: empty}))
    read(updated_at=LATER)
    assert changes() == []


def test_when_it_was_changed_and_where_it_lies_and_what_is_made_of_the_names_are_no_changes() -> None:
    read(updated_at=LATER, links={"self": "https://api.uk1.cliniko.com/v1/patients/42"}, label="Ada Lindqvist")
    assert changes() == []


def test_false_is_something() -> None:
    read(accepted_privacy_policy=False, updated_at=LATER)
    read(accepted_privacy_policy=None, updated_at=LATER)
    assert changes() == [("accepted_privacy_policy", True, False), ("accepted_privacy_policy", False, None)]


def test_a_change_is_noted_in_the_schema_of_its_clinic_alone() -> None:
    read("harbour", first_name="Ben", updated_at=LATER)
    assert changes("harbour") == [("first_name", "Ada", "Ben")]
    assert changes("bondi") == []


def test_a_change_is_of_its_patient_alone() -> None:
    read(cliniko_id="43")
    read(cliniko_id="43", first_name="Adele", updated_at=LATER)
    assert changes(cliniko_id="43")
    assert changes() == []


def test_an_older_answer_that_loses_changes_nothing() -> None:
    read(first_name="Before", updated_at="2025-01-01T00:00:00Z")
    assert changes() == []


def test_becoming_a_tombstone_is_no_change_of_a_field() -> None:
    with clinic_context("bondi"):
        assert mark_deleted(PATIENTS, ["42"], sequence=next_sequence())
    read()
    assert changes() == []


def test_whoever_writes_the_change_is_noted() -> None:
    with clinic_context("bondi"):
        Patient.objects.filter(cliniko_id="42").update(payload=patient_payload("42", notes="by hand"))
    assert changes() == [("notes", None, "by hand")]


def test_a_tick_and_a_launch_note_what_they_find_and_find_it_once(connected: Connect) -> None:
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
