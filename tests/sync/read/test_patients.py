"""What pages read about a patient, and how patients are found."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from sync import models
from sync.field_groups import FIELD_GROUPS, REQUIRED
from sync.models import Connection, Cursor, PatientChange, RefusedPayload
from sync.read import patients
from sync.read.payload import EARLIEST, LATEST, stored_timestamp
from sync.read.records import PatientRecord
from sync.read.status import current
from sync.resources import PATIENTS, RESOURCES
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context
from tests.payloads import alert_payload, appointment_payload, patient_payload

RESOURCE = {resource.name: resource for resource in RESOURCES}
Add = Callable[..., str]


def record(cliniko_id: str = "42") -> PatientRecord:
    with clinic_context("bondi"):
        found = patients.get(cliniko_id)
    assert found is not None
    return found


def write(resource: str, *payloads: dict[str, Any]) -> None:
    with clinic_context("bondi"):
        write_page(RESOURCE[resource], payloads, sequence=next_sequence())


FOUND = (
    "lindqvist|Ada Lindqvist|Lindqvist, Ada|LINDQVIST  ada|lind|soren|SØREN|o'neill|O’Neill|1990-04-17|"
    "17/04/1990|17.4.1990|ada 17/4/1990|04/17/1990|17.4.90|17-04-90|17 Apr 1990|17th of April, 1990|17-apr-90|"
    "April 17, 1990|17apr'90|Ada 17 Apr 1990 Lindqvist|ada 0491|0491 570 006|+61 491 570 006|570006|"
    "(0491) 570-006|9007199254740993"
).split("|")
NOT_FOUND = (
    "ben 17/4/1990|18 Apr 1990|17 Mar 1990|17.4.91|17.4.90.12|31/02/1990|06|9007199254740992||   |%|_|zzz"
).split("|")


@pytest.mark.parametrize(
    ("typed", "found"), [*((each, True) for each in FOUND), *((each, False) for each in NOT_FOUND)]
)
def test_search_finds_a_patient_by_what_people_type(add_patient: Add, typed: str, found: bool) -> None:
    numbers = [{"phone_type": "Mobile", "number": "+61 491 570 006"}]
    names = {"last_name": "Lindqvist O'Neill", "preferred_first_name": "Søren"}
    add_patient("bondi", "9007199254740993", **names, patient_phone_numbers=numbers)
    add_patient("harbour", "9007199254740993")
    with clinic_context("bondi"):
        assert bool(patients.search(typed)) is found


@pytest.mark.parametrize("name", ["王雅婷", "Ναταλία", "Олександра", "نور", "Tāne", "สมชาย", "지우"])
def test_search_finds_names_in_every_script(add_patient: Add, name: str) -> None:
    add_patient("bondi", first_name=name)
    with clinic_context("bondi"):
        assert [summary.name for summary in patients.search(name)] == [f"{name} Lindqvist"]


def test_search_leaves_out_deleted_and_merged_patients_and_lists_archived_ones_last(add_patient: Add) -> None:
    add_patient("bondi", "1", first_name="Archived", archived_at="2026-01-01T00:00:00Z")
    add_patient("bondi", "2", first_name="Zoe")
    add_patient("bondi", "3", deleted_at="2026-01-01T00:00:00Z")
    add_patient("bondi", "4", merged_with_patient={"links": {"self": "https://api.au1.cliniko.com/v1/patients/2"}})
    with clinic_context("bondi"):
        assert [(summary.cliniko_id, summary.archived) for summary in patients.search("lindqvist")] == [
            ("2", False),
            ("1", True),
        ]


@pytest.mark.parametrize(
    ("born", "text"),
    [
        ("2026-03-01", "0 days"),
        ("2026-02-28", "1 day"),
        ("2026-02-01", "4 weeks"),
        ("2025-11-15", "3 months"),
        ("2024-03-02", "23 months"),
        ("2024-03-01", "2"),
        ("1990-03-02", "35"),
        ("1990-03-01", "36"),
        ("1988-02-29", "38"),
        ("2027-01-01", ""),
        (None, ""),
    ],
)
def test_age_text_uses_the_unit_that_clinics_use(add_patient: Add, born: str | None, text: str) -> None:
    add_patient("bondi", date_of_birth=born)
    assert record().age_text(date(2026, 3, 1)) == text


def test_records_of_another_clinic_are_never_read(add_patient: Add) -> None:
    add_patient("harbour", "42")
    with clinic_context("bondi"):
        assert patients.get("42") is None
        assert not patients.search("lindqvist")
        assert not patients.summaries(["42"])


def test_appointments_are_split_into_upcoming_and_past_with_names(
    add_patient: Add, mark_imported: Callable[[str], None]
) -> None:
    add_patient("bondi")
    mark_imported("bondi")
    now = timezone.now()
    times = [(now + timedelta(days=days)).isoformat() for days in (-30, -3, 2, 20)]
    write("practitioners", {"id": "1", "display_name": "Ingrid Østergård", "updated_at": "2026-01-01T00:00:00Z"})
    write(
        "individual_appointments",
        appointment_payload("1", "42", times[0], did_not_arrive=True),
        appointment_payload("2", "42", times[1], patient_arrived=True),
        appointment_payload("3", "42", times[2], cancelled_at="2026-01-01T00:00:00Z"),
        appointment_payload("4", "42", times[3]),
        appointment_payload("5", "43", times[3]),
        appointment_payload("6", "42", times[3], archived_at="2026-01-01T00:00:00Z"),
    )
    found = record()
    assert [(a.cliniko_id, a.status) for a in found.past] == [("2", "arrived"), ("1", "did_not_arrive")]
    assert [(a.cliniko_id, a.status) for a in found.upcoming] == [("3", "cancelled"), ("4", "booked")]
    assert found.upcoming[0].practitioner == "Ingrid Østergård"
    assert not found.appointments_warning


def test_an_empty_list_of_alerts_has_a_warning_until_alerts_are_mirrored(
    add_patient: Add, mark_imported: Callable[[str], None]
) -> None:
    add_patient("bondi")
    assert "still being copied" in record().alerts_warning
    mark_imported("bondi")
    assert record().alerts_warning == ""
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="medical_alerts").update(refused_at=timezone.now())
    assert "can't read them" in record().alerts_warning


def test_a_new_patient_has_a_warning_until_the_next_check(
    add_patient: Add, mark_imported: Callable[[str], None]
) -> None:
    mark_imported("bondi")
    with clinic_context("bondi"):
        Cursor.objects.update(checked_at=timezone.now() - timedelta(minutes=1))
    add_patient("bondi")
    assert record().alerts_warning


def test_a_list_that_was_not_checked_lately_has_a_warning_with_its_age(
    add_patient: Add, mark_imported: Callable[[str], None]
) -> None:
    add_patient("bondi")
    mark_imported("bondi")
    with clinic_context("bondi"):
        models.Patient.objects.update(first_seen_at=timezone.now() - timedelta(days=1))
        Cursor.objects.filter(resource="medical_alerts").update(checked_at=timezone.now() - timedelta(hours=3))
    assert "were last copied " in record().alerts_warning
    assert record().appointments_warning == ""


def test_only_this_patients_alerts_are_read(add_patient: Add) -> None:
    add_patient("bondi")
    write(
        "medical_alerts",
        alert_payload("1", "42", "Pacemaker"),
        alert_payload("2", "43", "Another patient's"),
        alert_payload("3", "42", "Archived", archived_at="2026-01-01T00:00:00Z"),
    )
    assert [alert.name for alert in record().alerts] == ["Pacemaker"]


def test_custom_fields_of_every_type_are_read(add_patient: Add) -> None:
    fields = [
        {"name": "Sport", "type": "text", "value": "Netball"},
        {"name": "Empty", "type": "text", "value": ""},
        {
            "name": "Conditions",
            "type": "checkboxes",
            "options": [{"name": "Asthma", "selected": True}, {"name": "None"}],
            "other": {"enabled": True, "selected": True, "value": "Hay fever"},
        },
        {"name": "Injured", "type": "date", "value": "2025-03-09"},
        {"name": "Since", "type": "date", "value": "last spring"},
        {"name": "Smoker", "type": "radiobuttons", "options": [{"name": "No", "selected": True}]},
        "nonsense",
    ]
    add_patient("bondi", custom_fields={"sections": [{"name": "History", "fields": fields}, {"name": "Empty"}, None]})
    (section,) = record().custom_sections
    assert [(field.name, field.value) for field in section.fields] == [
        ("Sport", "Netball"),
        ("Conditions", "Asthma, Hay fever"),
        ("Injured", "9 Mar 2025"),
        ("Since", "last spring"),
        ("Smoker", "No"),
    ]


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else "deep"


# What a row can't be stored without, or only with a valid time.
CHECKED_WHEN_STORED = {"id", "updated_at", "archived_at", "deleted_at", "cancelled_at", "starts_at", "ends_at"}
ODD_VALUES: dict[str, Any] = {
    "null": None,
    "empty": "",
    "true": True,
    "number": 7,
    "huge number": 1.5e308,
    "text": "not a date, a list or an object",
    "huge text": "long " * 20_000,
    "time without a zone": "2026-01-01T00:00:00",
    "list": [],
    "nested list": nested(200),
    "list of odd items": [None, 7, "text", [[]], {"number": ["0491 570 006"], "phone_type": {}}],
    "object": {"links": {"self": [7]}},
    "sections": {"sections": None},
    "fields": {"sections": [None, {"fields": None}, {"name": [], "fields": [{"name": {}, "type": [], "value": []}]}]},
    "options": {"sections": [{"fields": [{"type": "checkboxes", "options": [7, {"name": []}], "other": "yes"}]}]},
}


def fields_of(resource: str) -> set[str]:
    fields = {field for group in (*FIELD_GROUPS, *REQUIRED) for field in group.fields.get(resource, ())}
    return fields - CHECKED_WHEN_STORED


@pytest.mark.parametrize("odd", ODD_VALUES.values(), ids=ODD_VALUES.keys())
def test_a_record_with_odd_values_in_every_field_is_still_read(add_patient: Add, odd: Any) -> None:
    add_patient("bondi")
    later = {"updated_at": "2026-01-02T00:00:00Z"}
    write("patients", patient_payload() | dict.fromkeys(fields_of("patients"), odd) | later)
    bookings = fields_of("individual_appointments") - {"patient", "booking"}
    write(
        "individual_appointments",
        appointment_payload("1", "42", "2026-01-01T00:00:00Z", **dict.fromkeys(bookings, odd)),
    )
    write("medical_alerts", alert_payload("1", "42", "Pacemaker") | {"name": odd, "created_at": odd})
    with clinic_context("bondi"):
        assert not RefusedPayload.objects.exists()
        assert PatientChange.objects.filter(field="first_name").count() == 1
        assert patients.summaries(["42"])["42"].name
    found = record()
    assert found.name
    assert (len(found.alerts), len(found.past)) == (1, 1)
    assert found.payload["email"] == odd or float(found.payload["email"]) == odd  # PostgreSQL writes 1.5e308 in full
    assert found.fields_with({change.field: change.before for change in found.changes})["first_name"] == "Ada"
    assert isinstance(found.age_text(date(2026, 3, 1)), str)
    assert isinstance(found.card_numbers, tuple)


def test_a_patient_without_names_is_unnamed(add_patient: Add) -> None:
    add_patient("bondi", first_name=None, last_name="", concession_type={"links": {}}, custom_fields=None)
    assert (record().name, record().concession, record().custom_sections) == ("Unnamed", "", ())


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_times_at_the_ends_of_the_calendar_are_shown_in_every_time_zone(add_patient: Add, time: str) -> None:
    add_patient("bondi", updated_at=time, archived_at=time, created_at=time)
    write("individual_appointments", appointment_payload("1", "42", time, updated_at=time))
    found = record()
    (appointment,) = (*found.upcoming, *found.past)
    for shown in (found.updated_at, found.archived_at, found.created_at, appointment.starts_at, appointment.ends_at):
        assert shown is not None
        assert shown.astimezone(ZoneInfo("Pacific/Auckland")) == shown.astimezone(ZoneInfo("America/Vancouver"))


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_times_that_python_cannot_hold_in_utc_are_refused(add_patient: Add, time: str) -> None:
    add_patient("bondi", archived_at=time)
    with clinic_context("bondi"):
        assert RefusedPayload.objects.get().reason == "archived_at is out of range."
        assert patients.search("lindqvist") == []


def test_times_that_only_postgresql_can_hold_are_moved_into_the_calendar() -> None:
    assert stored_timestamp("0001-12-31T10:00:00+00:00 BC") == EARLIEST
    assert stored_timestamp("10000-01-01T13:59:59+00:00") == LATEST


@pytest.mark.parametrize("state", [state for state in Connection.State if state != Connection.State.OK])
def test_every_state_but_ok_has_a_sentence(mark_imported: Callable[[str], None], state: str) -> None:
    mark_imported("bondi")
    with clinic_context("bondi"):
        Connection.objects.update(state=state)
        assert current().sentence.endswith(".")
        Connection.objects.update(state=Connection.State.OK)
        assert current().sentence == ""
        Cursor.objects.update(imported_at=None)
        assert current().importing


def test_a_number_is_dialled_without_what_people_write_around_it(add_patient: Add) -> None:
    numbers = [{"phone_type": "Work", "number": "+61 (2) 5550-0100"}, {"phone_type": "Home", "number": ""}]
    add_patient("bondi", patient_phone_numbers=numbers)
    assert [(phone.number, phone.dial) for phone in record().phones] == [("+61 (2) 5550-0100", "+61255500100")]


def test_the_payload_is_stored_whole(add_patient: Add) -> None:
    payload = patient_payload("42", anything={"new": True})
    with clinic_context("bondi"):
        write_page(PATIENTS, [payload], sequence=next_sequence())
        assert PATIENTS.model._default_manager.get(cliniko_id="42").payload == payload


def test_changes_go_from_the_former_value_to_the_current_one(add_patient: Add) -> None:
    began = timezone.now()
    add_patient("bondi", city="Bondi")
    for number, (city, email) in enumerate([("Coogee", "a@example.com"), ("Manly", "ada@example.com")], start=1):
        add_patient("bondi", city=city, email=email, updated_at=f"2026-01-0{number}T00:00:01Z")
    add_patient("harbour", city="Elsewhere", updated_at="2026-01-03T00:00:01Z")
    (change,) = record().changed_since(began)  # the email has its former value again
    assert (change.field, change.before, change.after) == ("city", "Bondi", "Manly")
    assert record().changed_since(timezone.now()) == ()
