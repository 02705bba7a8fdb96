"""Writing answers: an older one never wins, and a malformed one never stops the others."""

from typing import Any

import pytest

from sync.models import Patient, RefusedPayload
from sync.resources import PATIENTS
from sync.walk.store import mark_deleted, next_sequence, write_page
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.payloads import patient_payload

OLD = patient_payload("42", first_name="Old", updated_at="2026-03-01T10:00:00Z")
SAME_SECOND = patient_payload("42", first_name="Same", updated_at="2026-03-01T10:00:00Z")
NEW = patient_payload("42", first_name="New", updated_at="2026-03-01T10:00:01Z")


@pytest.fixture(autouse=True)
def _inside_bondi(bondi: Clinic) -> Any:
    with clinic_context("bondi"):
        yield


def first_name() -> str:
    return str(Patient.objects.get(cliniko_id="42").payload["first_name"])


@pytest.mark.parametrize(("earlier", "later"), [(OLD, NEW), (OLD, SAME_SECOND)])
@pytest.mark.parametrize("in_order", [True, False])
def test_answer_to_the_later_request_wins_in_any_order_of_arrival(
    earlier: dict[str, Any], later: dict[str, Any], in_order: bool
) -> None:
    answers = [(earlier, next_sequence()), (later, next_sequence())]
    for payload, sequence in answers if in_order else reversed(answers):
        write_page(PATIENTS, [payload], sequence=sequence)
    assert first_name() == later["first_name"]


def test_equal_answer_writes_nothing() -> None:
    assert write_page(PATIENTS, [OLD], sequence=next_sequence()) == 1
    assert write_page(PATIENTS, [OLD], sequence=next_sequence()) == 0


def test_tombstone_is_restored_by_a_later_page_only() -> None:
    write_page(PATIENTS, [OLD], sequence=next_sequence())
    page_before = next_sequence()
    assert mark_deleted(PATIENTS, ["42"], sequence=next_sequence())
    write_page(PATIENTS, [OLD], sequence=page_before)
    assert Patient.objects.get(cliniko_id="42").deleted_at
    write_page(PATIENTS, [OLD], sequence=next_sequence())
    assert Patient.objects.get(cliniko_id="42").deleted_at is None


def test_404_for_an_unknown_patient_creates_no_row() -> None:
    assert not mark_deleted(PATIENTS, ["43"], sequence=next_sequence())
    assert not Patient.objects.exists()


@pytest.mark.parametrize(
    "broken",
    [
        {"id": None},
        {"id": "42; DROP"},
        {"id": True},
        {"updated_at": None},
        {"updated_at": "yesterday"},
        {"updated_at": "2026-03-01T10:00:00"},
    ],
)
def test_payload_that_cannot_be_parsed_is_quarantined_and_the_rest_stored(broken: dict[str, Any]) -> None:
    write_page(PATIENTS, [patient_payload("42") | broken, patient_payload("43")], sequence=next_sequence())
    assert list(Patient.objects.values_list("cliniko_id", flat=True)) == ["43"]
    assert RefusedPayload.objects.get().reason


def test_payload_that_can_be_parsed_again_leaves_quarantine() -> None:
    write_page(PATIENTS, [patient_payload("42", updated_at="")], sequence=next_sequence())
    write_page(PATIENTS, [patient_payload("42")], sequence=next_sequence())
    assert not RefusedPayload.objects.exists()


def test_numeric_ids_equal_text_ids() -> None:
    write_page(PATIENTS, [patient_payload("9007199254740992")], sequence=next_sequence())
    write_page(PATIENTS, [patient_payload("x") | {"id": 9007199254740993}], sequence=next_sequence())
    assert set(Patient.objects.values_list("cliniko_id", flat=True)) == {"9007199254740992", "9007199254740993"}


def test_characters_that_jsonb_cannot_store_are_removed() -> None:
    write_page(PATIENTS, [patient_payload("42", first_name="A\x00da", notes="\ud800 😀")], sequence=next_sequence())
    payload = Patient.objects.get(cliniko_id="42").payload
    assert payload["first_name"] == "Ada"
    assert payload["notes"].endswith("😀")


def test_record_that_is_twice_on_a_page_is_one_row() -> None:
    write_page(PATIENTS, [OLD, NEW], sequence=next_sequence())
    assert first_name() == "New"


def test_unknown_fields_are_stored() -> None:
    write_page(PATIENTS, [patient_payload("42", brand_new={"a": [1, None]})], sequence=next_sequence())
    assert Patient.objects.get(cliniko_id="42").payload["brand_new"] == {"a": [1, None]}


def test_merged_patient_refers_to_the_survivor() -> None:
    merged = {"merged_with_patient": {"links": {"self": "https://api.au1.cliniko.com/v1/patients/82"}}}
    write_page(PATIENTS, [patient_payload("42", **merged)], sequence=next_sequence())
    assert Patient.objects.get(cliniko_id="42").merged_into == "82"
