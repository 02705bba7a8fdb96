"""Fields that a clinic excludes are in none of its tables, and are read again once it includes them."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.log import OPS, Action
from audit.models import Event
from sandbox.cliniko.api.serializers import serialize
from sandbox.cliniko.data.blank_records import blank_appointment, blank_attendee, blank_class, blank_patient
from sync import excluded_fields
from sync.cliniko.client import ApiKey, Cliniko
from sync.connection import connect
from sync.field_groups import BY_NAME, FIELD_GROUPS, REQUIRED
from sync.models import Cursor, Patient, PatientChange, PatientRefresh, Reconciliation, RefusedPayload
from sync.read import patients
from sync.refresh import Outcome, refresh_patient
from sync.resources import BY_NAME as RESOURCES
from sync.resources import PATIENTS
from sync.walk import reconcile, store
from sync.walk.lease import Lease, LeaseLost
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.cliniko_sandbox import Sandbox
from tests.payloads import appointment_payload, attendee_payload, class_payload, patient_payload
from tests.sql import executed_queries, tables_with
from tests.sync.comparison import differences

Connect = Callable[[str], Sandbox]
CANARY = "Zugzwang"
CARDS, NOTES = BY_NAME["card_numbers"], BY_NAME["notes"]
LATER = "2026-02-01T00:00:00Z"


def exclude(name: str, at: str = "bondi") -> bool:
    with clinic_context(at):
        return excluded_fields.exclude(BY_NAME[name], by=OPS)


def include(name: str, at: str = "bondi") -> bool:
    with clinic_context(at):
        return excluded_fields.include(BY_NAME[name], by=OPS)


def states(at: str = "bondi") -> dict[str, str]:
    with clinic_context(at):
        return {each.group.name: each.state for each in excluded_fields.by_group() if each.state != "stored"}


def payload_of(cliniko_id: str = "42", at: str = "bondi") -> dict[str, Any]:
    with clinic_context(at):
        payload: dict[str, Any] = Patient.objects.get(cliniko_id=cliniko_id).payload
        return payload


def payloads_with(word: str = CANARY) -> dict[str, dict[str, Any]]:
    """By resource, a payload with the word in every field that a clinic may exclude."""
    payloads = {
        "patients": patient_payload("42"),
        "individual_appointments": appointment_payload("7", "42", "2026-03-01T09:00:00Z"),
        "group_appointments": class_payload("8", "2026-03-01T09:00:00Z"),
        "attendees": attendee_payload("9", "42", "8"),
    }
    for group in FIELD_GROUPS:
        for resource, fields in group.fields.items():
            payloads[resource] |= dict.fromkeys(fields, word)
    return payloads


def write_everywhere(at: str = "bondi", word: str = CANARY, **fields: Any) -> None:
    with clinic_context(at):
        for name, payload in payloads_with(word).items():
            write_page(RESOURCES[name], [payload | fields], sequence=next_sequence())


def test_every_field_that_cliniko_sends_is_in_a_group_or_always_stored(sandbox: Sandbox) -> None:
    patient = sandbox.store.add_patient("bondi")
    record = sandbox.store.record("bondi", "patients", patient)
    assert record is not None
    sent = {
        "patients": serialize(record, "").keys() | blank_patient().keys(),
        "individual_appointments": appointment_payload("7", "42", LATER).keys() | blank_appointment().keys(),
        "group_appointments": class_payload("8", LATER).keys() | blank_class().keys(),
        "attendees": attendee_payload("9", "42", "8").keys() | blank_attendee().keys(),
    }
    places = [each.fields for each in (*FIELD_GROUPS, *REQUIRED)]
    for resource, fields in sent.items():
        placed = [name for each in places for name in each.get(resource, ())]
        assert set(fields) - set(placed) == set(), resource
        assert len(placed) == len(set(placed)), resource


def test_fields_that_search_and_sync_need_cannot_be_excluded() -> None:
    read = {"id", "updated_at", "archived_at", "deleted_at", "merged_with_patient", "patient", "booking", "starts_at"}
    searched = {"first_name", "last_name", "preferred_first_name", "label", "date_of_birth", "patient_phone_numbers"}
    excludable = {field for group in FIELD_GROUPS for fields in group.fields.values() for field in fields}
    assert excludable & (read | searched | {"accepted_privacy_policy", "cancelled_at", "name"}) == set()
    assert "medical_alerts" not in {resource for group in FIELD_GROUPS for resource in group.fields}


def test_after_excluding_every_group_no_table_holds_their_values(bondi: Clinic, harbour: Clinic) -> None:
    for label in ("bondi", "harbour"):
        write_everywhere(label)
        write_everywhere(label, word=f"{CANARY} again", updated_at=LATER)
        with clinic_context(label):
            broken = payloads_with()["patients"] | {"id": "43", "updated_at": None}
            write_page(PATIENTS, [broken], sequence=next_sequence())
    before = {"sync_patient", "sync_patientchange", "sync_refusedpayload", "sync_appointment", "sync_attendee"}
    before |= {"sync_groupappointment"}
    assert tables_with(CANARY) == tables_with(CANARY, "harbour") == before
    for group in FIELD_GROUPS:
        assert exclude(group.name)
    assert tables_with(CANARY) == set()
    assert tables_with(CANARY, "harbour") == before
    assert tables_with("Lindqvist") == {"sync_patient", "sync_refusedpayload"}


def test_postgresql_statistics_have_no_samples_of_payloads(bondi: Clinic) -> None:
    sampled = "SELECT tablename, attname FROM pg_stats WHERE schemaname = %s"
    with clinic_context("bondi") as clinic:
        for number in range(100, 200):
            write_page(PATIENTS, [patient_payload(str(number), notes=CANARY)], sequence=next_sequence())
            again = patient_payload(str(number), notes="Again", updated_at=LATER)
            write_page(PATIENTS, [again, patient_payload(f"9{number}", updated_at=None)], sequence=next_sequence())
        with database.cursor() as cursor:
            cursor.execute("ANALYZE sync_patient, sync_patientchange, sync_refusedpayload")
            cursor.execute(sampled, [clinic.schema_name])
            columns = set(cursor.fetchall())
    others = {("sync_patient", "sort_name"), ("sync_patientchange", "field"), ("sync_refusedpayload", "reason")}
    assert others <= columns
    assert {name for _, name in columns} & {"payload", "before", "after"} == set()


@pytest.mark.parametrize("group", FIELD_GROUPS, ids=lambda group: group.name)
def test_excluding_a_group_removes_its_fields_only(bondi: Clinic, group: Any) -> None:
    write_everywhere()
    exclude(group.name)
    with clinic_context("bondi"):
        for name, payload in payloads_with().items():
            stored = RESOURCES[name].model._default_manager.get().payload
            assert stored == {
                field: value for field, value in payload.items() if field not in group.fields.get(name, ())
            }


def test_excluded_fields_are_not_stored_by_a_tick_a_launch_or_a_comparison(connected: Connect) -> None:
    sandbox = connected("bondi")
    patient = sandbox.store.add_patient("bondi", notes=CANARY, medicare=CANARY)
    sandbox.store.add_appointment("bondi", patient, "2040-01-09T09:00:00Z", notes=CANARY)
    for name in ("notes", "card_numbers", "appointment_notes"):
        exclude(name)
    sandbox.sync("bondi")
    assert tables_with(CANARY) == set()
    sandbox.store.edit("bondi", "patients", patient, notes=f"{CANARY} once", first_name="Adele")
    with clinic_context("bondi"):
        PatientRefresh.objects.all().delete()
        assert refresh_patient(patient) == Outcome.FRESH
    assert payload_of(patient)["first_name"] == "Adele"
    sandbox.store.edit("bondi", "patients", patient, notes=f"{CANARY} twice")
    sandbox.sync("bondi")
    sandbox.compare("bondi")
    assert tables_with(CANARY) == set()
    assert not differences(sandbox.store, sandbox.url, "bondi")


def test_an_edit_of_an_excluded_field_writes_no_row(bondi: Clinic) -> None:
    write_everywhere()
    exclude("notes")
    with clinic_context("bondi"):
        Patient.objects.update(written_at=timezone.now() - timedelta(days=1))
        written = Patient.objects.get().written_at
        same = payloads_with()["patients"] | {"notes": "New", "appointment_notes": "New"}
        assert write_page(PATIENTS, [same], sequence=next_sequence()) == 0
        assert Patient.objects.get().written_at == written
        assert not PatientChange.objects.exists()


def refuse(*_: Any) -> int:
    raise DataError("value overflows numeric format")


@pytest.mark.parametrize("unreadable", [True, False])
def test_a_refused_payload_is_stored_without_excluded_fields(
    bondi: Clinic, monkeypatch: pytest.MonkeyPatch, unreadable: bool
) -> None:
    exclude("notes")
    broken = payloads_with()["patients"] | {"medicare": "kept"} | ({"updated_at": None} if unreadable else {})
    if not unreadable:
        monkeypatch.setattr(store, "execute", refuse)
    with clinic_context("bondi"):
        write_page(PATIENTS, [broken], sequence=next_sequence())
        refused = json.loads(RefusedPayload.objects.get().payload)
    assert {"notes", "appointment_notes"} & refused.keys() == set()
    assert refused["medicare"] == "kept"


def test_a_page_is_still_written_in_one_statement(bondi: Clinic) -> None:
    exclude("notes")
    with clinic_context("bondi"), CaptureQueriesContext(database) as captured:
        write_page(PATIENTS, [patient_payload(str(id), notes="x") for id in range(1, 60)], sequence=1)
    queries = [each for each in executed_queries(captured) if "SAVEPOINT" not in each]
    assert len(queries) <= 1  # Django doesn't count that statement: the server binds its parameters
    assert "notes" not in payload_of("7")


def test_removing_fields_records_no_change(bondi: Clinic) -> None:
    write_everywhere()
    write_everywhere(word="Other", updated_at=LATER)
    exclude("notes")
    with clinic_context("bondi"):
        fields = set(PatientChange.objects.values_list("field", flat=True))
    assert not fields & set(NOTES.fields["patients"])
    assert set(CARDS.fields["patients"]) <= fields


def test_changes_are_recorded_after_fields_were_removed(bondi: Clinic) -> None:
    write_everywhere()
    exclude("notes")
    write_everywhere(first_name="Adele", updated_at=LATER)
    with clinic_context("bondi"):
        assert list(PatientChange.objects.values_list("field", flat=True)) == ["first_name"]


def test_each_choice_is_logged_once(bondi: Clinic) -> None:
    assert exclude("card_numbers")
    assert not exclude("card_numbers")
    assert include("card_numbers")
    assert not include("card_numbers")
    with clinic_context("bondi"):
        changes = Event.objects.filter(action=Action.SETTINGS_CHANGED).order_by("pk")
        lines = list(changes.values_list("details", flat=True))
    assert lines == [{"no_longer_stored": "Card numbers"}, {"stored_again": "Card numbers"}]


def test_included_fields_are_read_again_while_every_patient_stays_visible(connected: Connect) -> None:
    sandbox = connected("bondi")
    ids = [sandbox.store.add_patient("bondi", notes=CANARY) for _ in range(5)]
    sandbox.store.archive("bondi", ids[0])
    sandbox.sync("bondi")
    exclude("notes")
    assert include("notes")
    assert states() == {"notes": "restoring"}
    with clinic_context("bondi"):
        assert patients.search("") == []
        assert Patient.objects.filter(deleted_at=None).count() == 5
        assert Cursor.objects.get(resource="patients").imported_at
        record = patients.get(ids[1])
    assert record is not None
    (missing,) = record.not_stored
    assert missing.sentence == "Being copied from Cliniko again. Until then, check in Cliniko."
    sandbox.sync("bondi")
    assert states() == {}
    assert {payload_of(each)["notes"] for each in ids} == {CANARY}
    assert not differences(sandbox.store, sandbox.url, "bondi")
    with clinic_context("bondi"):
        assert not PatientChange.objects.exists()  # nothing changed in Cliniko


def test_a_comparison_under_way_does_not_count_as_the_requested_one(connected: Connect) -> None:
    sandbox = connected("bondi")
    ids = [sandbox.store.add_patient("bondi", notes=CANARY) for _ in range(3)]
    sandbox.sync("bondi")
    exclude("notes")
    with clinic_context("bondi"):
        reconcile.request_comparison(PATIENTS)
        Reconciliation.objects.filter(resource="patients").update(after_id=ids[-1])  # it has passed every patient
    include("notes")
    sandbox.sync("bondi")
    assert states() == {"notes": "restoring"}
    with clinic_context("bondi"):
        Reconciliation.objects.update(due_at=timezone.now())
    sandbox.sync("bondi")
    assert states() == {}
    assert {payload_of(each).get("notes") for each in ids} == {CANARY}


def test_archived_records_with_their_own_list_are_read_again_too(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.set_api("bondi", older=True)
    patient = sandbox.store.add_patient("bondi", notes=CANARY)
    sandbox.store.archive("bondi", patient)
    sandbox.sync("bondi")
    assert payload_of(patient)["notes"] == CANARY
    with clinic_context("bondi"):
        assert not Cursor.objects.get(resource="patients").asks_hidden
    exclude("notes")
    with clinic_context("bondi"), Lease() as lease:
        excluded_fields.include(NOTES, by=OPS)
        with pytest.raises(LeaseLost):  # or a running worker would save its old position
            lease.renew()
    sandbox.sync("bondi")
    assert payload_of(patient)["notes"] == CANARY


def test_excluding_a_group_while_it_is_restored_removes_all_of_it(connected: Connect) -> None:
    sandbox = connected("bondi")
    patient = sandbox.store.add_patient("bondi", notes=CANARY)
    sandbox.sync("bondi")
    exclude("notes")
    include("notes")
    with clinic_context("bondi"):
        PatientRefresh.objects.all().delete()
        refresh_patient(patient)
    assert tables_with(CANARY) == {"sync_patient"}
    assert exclude("notes")
    assert tables_with(CANARY) == set()
    sandbox.sync("bondi")
    sandbox.compare("bondi")
    assert tables_with(CANARY) == set()
    assert states() == {"notes": "excluded"}


def test_a_change_in_cliniko_after_the_restoration_is_recorded(connected: Connect) -> None:
    sandbox = connected("bondi")
    patient = sandbox.store.add_patient("bondi", notes="Before")
    sandbox.sync("bondi")
    exclude("notes")
    include("notes")
    sandbox.sync("bondi")
    sandbox.store.edit("bondi", "patients", patient, notes="After")
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        assert list(PatientChange.objects.values_list("field", "before", "after")) == [("notes", "Before", "After")]


@pytest.mark.parametrize("method", ["list", "record"])
def test_records_fetched_before_the_choice_are_written_without_the_fields(
    connected: Connect, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    sandbox = connected("bondi")
    patient = sandbox.store.add_patient("bondi", notes=CANARY, first_name="Ada")
    sandbox.sync("bondi")
    sandbox.store.edit("bondi", "patients", patient, notes=f"{CANARY} new", first_name="Adele")
    real = getattr(Cliniko, method)

    def answer_after_the_choice(self: Cliniko, name: str, *words: Any, **named: Any) -> Any:
        answer = real(self, name, *words, **named)
        if name == "patients":
            excluded_fields.exclude(NOTES, by=OPS)
        return answer

    monkeypatch.setattr(Cliniko, method, answer_after_the_choice)
    if method == "list":
        sandbox.sync("bondi")
    else:
        with clinic_context("bondi"):
            PatientRefresh.objects.all().delete()
            assert refresh_patient(patient) == Outcome.FRESH
    assert payload_of(patient)["first_name"] == "Adele"
    assert tables_with(CANARY) == set()


def test_another_clinic_stores_the_fields_as_before(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.connect("harbour")
    for label in ("bondi", "harbour"):
        sandbox.store.add_patient(label, id="42", notes=CANARY)
        sandbox.sync(label)
    exclude("notes")
    assert states("harbour") == {}
    sandbox.store.edit("harbour", "patients", "42", notes=f"{CANARY} new")
    sandbox.sync("harbour")
    assert payload_of(at="harbour")["notes"] == f"{CANARY} new"
    assert "notes" not in payload_of()


def test_without_records_a_group_is_stored_at_once(bondi: Clinic) -> None:
    exclude("notes")
    include("notes")
    assert states() == {}


def test_the_choice_stays_when_the_clinic_moves_to_another_account(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", notes=CANARY)
    sandbox.sync("bondi")
    exclude("notes")
    exclude("card_numbers")
    include("card_numbers")
    with clinic_context("bondi"):
        connect.connect(ApiKey(sandbox.store.key("harbour")), by=OPS, confirm_other_account=True)
    assert states() == {"notes": "excluded"}
