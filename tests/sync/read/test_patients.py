"""The read door: what pages are told of a patient, and how people are found."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from sync import models
from sync.models import Connection, Cursor
from sync.read import patients
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


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("lindqvist", True),
        ("Ada Lindqvist", True),
        ("Lindqvist, Ada", True),
        ("LINDQVIST  ada", True),
        ("lind", True),
        ("soren", True),
        ("SØREN", True),
        ("o'neill", True),
        ("O’Neill", True),
        ("1990-04-17", True),
        ("17/04/1990", True),
        ("17.4.1990", True),
        ("ada 17/4/1990", True),
        ("ben 17/4/1990", False),
        ("04/17/1990", True),
        ("17.4.90", True),
        ("17-04-90", True),
        ("17 Apr 1990", True),
        ("17th of April, 1990", True),
        ("17-apr-90", True),
        ("April 17, 1990", True),
        ("17apr'90", True),
        ("Ada 17 Apr 1990 Lindqvist", True),
        ("18 Apr 1990", False),
        ("17 Mar 1990", False),
        ("17.4.91", False),
        ("17.4.90.12", False),
        ("ada 0491", True),
        ("31/02/1990", False),
        ("0491 570 006", True),
        ("+61 491 570 006", True),
        ("570006", True),
        ("(0491) 570-006", True),
        ("06", False),
        ("9007199254740993", True),
        ("9007199254740992", False),
        ("", False),
        ("   ", False),
        ("%", False),
        ("_", False),
        ("zzz", False),
    ],
)
def test_a_patient_is_found_by_what_people_type(add_patient: Add, typed: str, found: bool) -> None:
    numbers = [{"phone_type": "Mobile", "number": "+61 491 570 006"}]
    names = {"last_name": "Lindqvist O'Neill", "preferred_first_name": "Søren"}
    add_patient("bondi", "9007199254740993", **names, patient_phone_numbers=numbers)
    add_patient("harbour", "9007199254740993")
    with clinic_context("bondi"):
        assert bool(patients.search(typed)) is found


@pytest.mark.parametrize("name", ["王雅婷", "Ναταλία", "Олександра", "نور", "Tāne", "สมชาย", "지우"])
def test_names_in_every_script_are_found(add_patient: Add, name: str) -> None:
    add_patient("bondi", first_name=name)
    with clinic_context("bondi"):
        assert [summary.name for summary in patients.search(name)] == [f"{name} Lindqvist"]


def test_search_leaves_out_the_deleted_and_the_merged_and_puts_the_archived_last(add_patient: Add) -> None:
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
def test_ages_are_said_as_clinics_say_them(add_patient: Add, born: str | None, text: str) -> None:
    add_patient("bondi", date_of_birth=born)
    assert record().age_text(date(2026, 3, 1)) == text


def test_nothing_of_the_other_clinic_is_read(add_patient: Add) -> None:
    add_patient("harbour", "42")
    with clinic_context("bondi"):
        assert patients.get("42") is None
        assert not patients.search("lindqvist")
        assert not patients.summaries(["42"])


def test_appointments_are_told_apart_by_time_and_named(add_patient: Add, mark_imported: Callable[[str], None]) -> None:
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


def test_an_empty_list_of_alerts_says_so_while_alerts_are_not_here(
    add_patient: Add, mark_imported: Callable[[str], None]
) -> None:
    add_patient("bondi")
    assert "still being copied" in record().alerts_warning
    mark_imported("bondi")
    assert record().alerts_warning == ""
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="medical_alerts").update(refused_at=timezone.now())
    assert "may not read" in record().alerts_warning


def test_somebody_new_has_a_note_until_the_next_check(add_patient: Add, mark_imported: Callable[[str], None]) -> None:
    mark_imported("bondi")
    with clinic_context("bondi"):
        Cursor.objects.update(checked_at=timezone.now() - timedelta(minutes=1))
    add_patient("bondi")
    assert record().alerts_warning


def test_lists_that_fail_while_single_reads_work_are_said_to_be_old(
    add_patient: Add, mark_imported: Callable[[str], None]
) -> None:
    add_patient("bondi")
    mark_imported("bondi")
    with clinic_context("bondi"):
        models.Patient.objects.update(first_seen_at=timezone.now() - timedelta(days=1))
        Cursor.objects.filter(resource="medical_alerts").update(checked_at=timezone.now() - timedelta(hours=3))
    assert "were last copied " in record().alerts_warning
    assert record().appointments_warning == ""


def test_alerts_of_this_patient_only(add_patient: Add) -> None:
    add_patient("bondi")
    write(
        "medical_alerts",
        alert_payload("1", "42", "Pacemaker"),
        alert_payload("2", "43", "Somebody else's"),
        alert_payload("3", "42", "Taken back", archived_at="2026-01-01T00:00:00Z"),
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


@pytest.mark.parametrize("odd", [None, "", [], "text", 7, {"sections": None}, {"sections": [{"fields": None}]}])
def test_odd_payloads_show_as_empty_and_never_fail(add_patient: Add, odd: Any) -> None:
    add_patient(
        "bondi",
        custom_fields=odd,
        patient_phone_numbers=odd,
        pronouns=odd,
        concession_type={"links": {}},
        first_name=None,
        last_name="",
    )
    assert record().name == "Unnamed"
    assert record().concession == ""
    assert record().custom_sections == ()


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


def test_the_payload_is_kept_whole(add_patient: Add) -> None:
    payload = patient_payload("42", anything={"new": True})
    with clinic_context("bondi"):
        write_page(PATIENTS, [payload], sequence=next_sequence())
        assert PATIENTS.model._default_manager.get(cliniko_id="42").payload == payload


def test_changes_tell_from_what_it_was_to_what_it_is(add_patient: Add) -> None:
    began = timezone.now()
    add_patient("bondi", city="Bondi")
    for number, (city, email) in enumerate([("Coogee", "a@example.com"), ("Manly", "ada@example.com")], start=1):
        add_patient("bondi", city=city, email=email, updated_at=f"2026-01-0{number}T00:00:01Z")
    add_patient("harbour", city="Elsewhere", updated_at="2026-01-03T00:00:01Z")
    (change,) = record().changed_since(began)  # the e-mail is what it was again
    assert (change.field, change.before, change.after) == ("city", "Bondi", "Manly")
    assert record().changed_since(timezone.now()) == ()
