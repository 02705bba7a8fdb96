"""The subject access file has all data about one patient, and nothing about anyone else."""

import json
import re
from collections.abc import Callable
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.models import Event
from launch import notes
from launch.models import Note
from sync.models import MedicalAlert, RefusedPayload
from tenants.context import clinic_context
from tests.conftest import AddRecord
from tests.launch.conftest import access_log
from tests.launch.views.test_patient import merged_into
from tests.payloads import alert_payload, appointment_payload, attendee_payload, class_payload

Browsers = Callable[..., Client]
FILE_URL = "/patients/42/access/pack"
VISIT = "9000000000000"  # a prefix of IDs that no timestamp contains by chance
RECORDS = "patients medical_alerts individual_appointments attendees group_appointments".split()
FILES = {"README.txt", "index.html", "data.json", "notes.json", "drafts.json", "access-log.json", "access-log.csv"}


@pytest.fixture
def owner(
    two_clinics: None,
    force_login: Browsers,
    add_patient: Callable[..., str],
    add_record: AddRecord,
    staff_member: Callable[..., User],
) -> Client:
    """Bondi's owner. Patient 42 of both clinics, and 43 of bondi, have an alert, an appointment, a class and a note."""
    add_patient("bondi", "43", first_name="Cleo", last_name="Marsh")
    for label, patient_id, word in (("bondi", "42", "ours"), ("bondi", "43", "theirs"), ("harbour", "42", "theirs")):
        add_record(label, "medical_alerts", alert_payload(f"1{patient_id}", patient_id, f"alert {word}"))
        visit = appointment_payload(f"{VISIT}{patient_id}", patient_id, "2026-03-01T09:00:00Z", notes=f"visit {word}")
        add_record(label, "individual_appointments", visit)
        add_record(label, "group_appointments", class_payload("300", "2026-03-02T09:00:00Z"))
        add_record(label, "attendees", attendee_payload(f"3{patient_id}", patient_id, "300"))
        robin = staff_member(label)
        with clinic_context(label):
            notes.write(patient_id, f"note {word}", by=robin)
        force_login(label).get(f"/patients/{patient_id}/")
    return force_login("bondi", role="owner")


def files_of(browser: Client, address: str = FILE_URL) -> dict[str, str]:
    response = browser.post(address)
    assert response.status_code == 200
    with ZipFile(BytesIO(response.content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def data_of(browser: Client) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(files_of(browser)["data.json"])
    return data


def test_its_name_does_not_identify_the_patient(owner: Client) -> None:
    response = owner.post(FILE_URL)
    assert response["Content-Type"] == "application/zip"
    assert re.search(r'attachment; filename="subject-access-\d{4}-\d\d-\d\d\.zip"$', response["Content-Disposition"])
    assert "no-store" in response["Cache-Control"]
    assert set(files_of(owner)) == FILES


def test_it_has_every_record_about_the_patient_with_its_payload(owner: Client) -> None:
    data = data_of(owner)
    assert data["patient"] == "42"
    assert {name: [row["cliniko_id"] for row in rows] for name, rows in data.items() if name in RECORDS} == {
        "patients": ["42"],
        "medical_alerts": ["142"],
        "individual_appointments": [f"{VISIT}42"],
        "attendees": ["342"],
        "group_appointments": ["300"],
    }
    assert data["individual_appointments"][0]["payload"]["notes"] == "visit ours"


def test_it_names_only_the_practitioners_of_the_appointments(owner: Client, add_record: AddRecord) -> None:
    for practitioner_id in ("1", "2"):
        name = {"first_name": "Mei-Lin", "last_name": f"Zhao {practitioner_id}"}
        add_record("bondi", "practitioners", {"id": practitioner_id, "updated_at": "2026-01-01T00:00:00Z"} | name)
    assert data_of(owner)["practitioners"] == [{"cliniko_id": "1", "name": "Mei-Lin Zhao 1"}]


def test_it_has_nothing_about_anyone_else(owner: Client) -> None:
    for name, text in files_of(owner).items():
        for word in ("theirs", "Cleo", "Marsh", "Okoro", f"{VISIT}43", '"43"'):
            assert word not in text, name


def test_it_has_card_numbers_even_if_the_clinic_hides_them(owner: Client, add_patient: Callable[..., str]) -> None:
    add_patient("bondi", "42", medicare="2123 45670 1", updated_at="2026-02-01T00:00:00Z")
    assert "2123 45670 1" not in owner.get("/patients/42/").content.decode()
    files = files_of(owner)
    assert "2123 45670 1" in files["data.json"]
    assert "card numbers (Medicare, DVA)" in files["README.txt"]


def test_its_page_needs_no_network(owner: Client) -> None:
    page = files_of(owner)["index.html"]
    for words in ("Ada Lindqvist", "17 Apr 1990", "alert ours", "visit ours", "note ours", "reception@clinic.example"):
        assert words in page
    assert not re.search(r"<script|<link|<img|\ssrc=|\shref=|url\(", page)


def test_markup_in_it_is_inert(
    owner: Client, add_patient: Callable[..., str], staff_member: Callable[..., User]
) -> None:
    bad = "</style><script>alert(1)</script>"
    add_patient("bondi", "42", first_name=bad, updated_at="2026-02-01T00:00:00Z", notes=bad)
    robin = staff_member("bondi")
    with clinic_context("bondi"):
        notes.write("42", bad, by=robin)
    page = files_of(owner)["index.html"]
    assert "<script" not in page
    assert page.count("</style>") == 1


def test_it_has_changes_deleted_records_and_unreadable_ones(owner: Client, add_patient: Callable[..., str]) -> None:
    add_patient("bondi", "42", email="new@example.com", updated_at="2026-02-01T00:00:00Z")
    with clinic_context("bondi"):
        MedicalAlert.objects.update(deleted_at=timezone.now())
        for patient_id in ("42", "43"):
            RefusedPayload.objects.create(
                resource="attendees", cliniko_id=f"9{patient_id}", patient_id=patient_id, payload="{}", reason="odd"
            )
    data = data_of(owner)
    assert ("email", "ada@example.com", "new@example.com") in [
        (change["field"], change["before"], change["after"]) for change in data["changes"]
    ]
    assert data["medical_alerts"][0]["deleted_at"]
    assert [row["cliniko_id"] for row in data["not_readable"]] == ["942"]


def test_it_has_all_versions_of_notes_and_deleted_ones_but_none_set_aside(
    owner: Client, staff_member: Callable[..., User]
) -> None:
    robin = staff_member("bondi")
    with clinic_context("bondi"):
        note = Note.objects.get(text="note ours")
        notes.edit(note, "edited", version=1, by=robin)
        notes.delete(note, by=robin)
        Note.objects.filter(pk=notes.write("42", "of an account before", by=robin).pk).update(
            set_aside_at=timezone.now()
        )
    (kept,) = json.loads(files_of(owner)["notes.json"])
    assert [version["text"] for version in kept["versions_kept"]] == ["note ours", "edited"]
    assert kept["deleted_by"] == "Robin Reception"


def test_it_includes_merged_records(owner: Client, add_patient: Callable[..., str]) -> None:
    add_patient("bondi", "43", first_name="Cleo", updated_at="2026-02-01T00:00:00Z", **merged_into("42"))
    assert owner.post("/patients/43/access/pack")["Location"] == "/patients/42/access"
    files = files_of(owner)
    assert [row["cliniko_id"] for row in json.loads(files["data.json"])["patients"]] == ["42", "43"]
    assert {line["patient"] for line in json.loads(files["access-log.json"])} == {"42", "43"}
    assert "alert theirs" in files["index.html"]


def test_its_audit_entry_is_written_before_and_is_in_it(owner: Client) -> None:
    log = json.loads(files_of(owner)["access-log.json"])
    assert access_log("bondi")[-1] == ("owner@clinic.example", "exported", "42")
    assert (log[0]["action"], log[0]["details"]) == ("exported", {"file": "subject access"})
    assert [line["action"] for line in log[1:]] == ["viewed"]


def test_there_is_no_file_without_its_audit_entry(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(Event.objects, "create", broken)
    response = owner.post(FILE_URL)
    assert response.status_code == 503
    assert "Lindqvist" not in response.content.decode()


@pytest.mark.parametrize("role", ["clinician", "reception", "readonly"])
def test_other_roles_are_refused_with_an_audit_entry(owner: Client, force_login: Browsers, role: str) -> None:
    assert force_login("bondi", role=role).post(FILE_URL).status_code == 403
    assert access_log("bondi")[-1] == (f"{role}@clinic.example", "denied", "42")


def test_a_user_who_is_no_longer_an_owner_is_refused(owner: Client) -> None:
    assert FILE_URL in owner.get("/patients/42/access").content.decode()
    with clinic_context("bondi"):
        User.objects.filter(role="owner").update(role="reception")
    assert owner.post(FILE_URL).status_code == 403
