"""The privacy page, and the screen of a clinic that doesn't store some fields."""

import io
import zipfile
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.log import OPS, Action
from audit.models import Event
from launch.models import ClinicSettings, Note
from launch.notes import write
from sync import excluded_fields, retention
from sync.field_groups import BY_NAME, FIELD_GROUPS
from sync.models import ExcludedField, Patient, RetentionPolicy
from sync.resources import PATIENTS
from sync.walk.store import mark_deleted, next_sequence
from tenants.context import clinic_context
from tests.conftest import AddRecord
from tests.payloads import appointment_payload

SignIn = Callable[..., Client]
TICKED = {"confirmed": "yes", "store": "no"}
NOT_KEPT = "Not stored here, by your clinic"


@pytest.fixture
def owner(two_clinics: None, force_login: SignIn) -> Client:
    return force_login("bondi", role="owner")


def page_of(browser: Client) -> str:
    return browser.get("/settings/privacy").content.decode()


def choose(browser: Client, name: str, **form: str) -> str:
    response = browser.post(f"/settings/privacy/fields/{name}", form, follow=True)
    return response.content.decode()


def changes() -> list[dict[str, str]]:
    with clinic_context("bondi"):
        events = Event.objects.filter(action=Action.SETTINGS_CHANGED).order_by("pk")
        return list(events.values_list("details", flat=True))


def test_the_page_lists_every_group_and_links_to_related_pages(owner: Client) -> None:
    page = page_of(owner)
    for group in FIELD_GROUPS:
        assert f"<h3>{group.label}</h3>" in page
    assert page.count("Stop storing</summary>") == len(FIELD_GROUPS)
    for address in ("/settings/security", "/settings/access", "/settings/staff/"):
        assert f'href="{address}"' in page
    assert "After 30 minutes without activity, and after 12 hours in any case" in page
    assert "Up to each person" in page
    assert "Nothing is due to be removed tonight" in page
    assert 'href="/settings/privacy"' in owner.get("/settings/").content.decode()


def test_an_admin_can_view_the_page_but_change_nothing(two_clinics: None, force_login: SignIn) -> None:
    admin = force_login("bondi", role="admin")
    page = page_of(admin)
    assert "Only an owner can change this" in page
    assert "/settings/privacy/" not in page
    assert admin.post("/settings/privacy/fields/notes", TICKED).status_code == 403
    assert admin.post("/settings/privacy/periods", {"changes_days": 90, "deleted_days": 90}).status_code == 403
    with clinic_context("bondi"):
        assert not ExcludedField.objects.exists()
        assert not RetentionPolicy.objects.exists()


def test_nothing_is_removed_without_the_tick(owner: Client) -> None:
    response = owner.post("/settings/privacy/fields/notes", {"store": "no"})
    assert response.status_code == 422
    assert "Tick the box" in response.content.decode()
    with clinic_context("bondi"):
        assert not ExcludedField.objects.exists()
    assert changes() == []


def test_excluding_and_storing_a_group_again_write_audit_entries(owner: Client) -> None:
    page = choose(owner, "notes", **TICKED)
    assert "Notes in Cliniko: no longer stored" in page
    assert '<span class="chip chip--warn">Not stored</span>' in page
    with clinic_context("bondi"):
        assert not Patient.objects.filter(payload__has_key="notes").exists()
    page = choose(owner, "notes", store="again")
    assert "Sidechart is reading it from Cliniko" in page
    assert "Being imported again" in page
    assert changes() == [{"no_longer_stored": "Notes in Cliniko"}, {"stored_again": "Notes in Cliniko"}]
    choose(owner, "address", store="again")
    assert len(changes()) == 2


def test_harbour_keeps_what_bondi_excludes(owner: Client, force_login: SignIn) -> None:
    choose(owner, "email", **TICKED)
    with clinic_context("bondi"):
        assert not Patient.objects.filter(payload__has_key="email").exists()
    with clinic_context("harbour"):
        assert Patient.objects.filter(payload__has_key="email").exists()
    assert "Not stored</span>" not in page_of(force_login("harbour", role="owner"))


def test_card_numbers_are_not_shown_hidden_or_not_stored(owner: Client) -> None:
    assert "Stored, not shown" in page_of(owner)
    with clinic_context("bondi"):
        ClinicSettings.objects.create(id=1, shows_card_numbers=True)
    assert "Stored, hidden until requested" in page_of(owner)
    page = choose(owner, "card_numbers", **TICKED)
    assert "hidden until requested" not in page
    assert "Not stored, by your clinic's choice" in owner.get("/settings/").content.decode().replace("&#x27;", "'")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("notes", 'id="notes"'),
        ("custom_fields", 'id="custom-fields"'),
        ("emergency_contact", 'id="emergency"'),
        ("email", "<dt>Email</dt>"),
        ("address", "<dt>Address</dt>"),
        ("appointment_notes", "Appointment notes:"),
        ("occupation_and_referral", "occupation and referral"),
    ],
)
def test_excluded_fields_never_look_empty(
    two_clinics: None, force_login: SignIn, add_record: AddRecord, name: str, place: str
) -> None:
    add_record("bondi", "individual_appointments", appointment_payload("7", "42", "2026-03-01T09:00:00Z"))
    with clinic_context("bondi"):
        excluded_fields.exclude(BY_NAME[name], by=OPS)
    page = force_login("bondi").get("/patients/42/").content.decode()
    after = page.partition(place)[2]
    assert after
    assert NOT_KEPT in page
    with clinic_context("bondi"):
        excluded_fields.include(BY_NAME[name], by=OPS)
    assert NOT_KEPT not in force_login("harbour").get("/patients/42/").content.decode()


def test_an_empty_contact_card_does_not_claim_that_cliniko_has_nothing(
    two_clinics: None, force_login: SignIn, add_patient: Callable[..., str]
) -> None:
    later = "2026-02-01T00:00:00Z"
    add_patient("bondi", "42", patient_phone_numbers=[], updated_at=later)
    with clinic_context("bondi"):
        for name in ("email", "address"):
            excluded_fields.exclude(BY_NAME[name], by=OPS)
    assert "No phone, email or address in Cliniko" not in force_login("bondi").get("/patients/42/").content.decode()


def test_a_subject_access_file_lists_excluded_fields_and_omits_them(
    two_clinics: None, force_login: SignIn, add_patient: Callable[..., str]
) -> None:
    add_patient("bondi", "42", notes="Zugzwang", updated_at="2026-02-01T00:00:00Z")
    owner = force_login("bondi", role="owner")
    choose(owner, "notes", **TICKED)
    archive = zipfile.ZipFile(io.BytesIO(owner.post("/patients/42/access/pack").content))
    assert "Not stored in Sidechart, by the clinic's choice" in archive.read("index.html").decode().replace(
        "&#x27;", "'"
    )
    assert all("Zugzwang" not in archive.read(name).decode() for name in archive.namelist())


def test_a_longer_period_is_saved_and_a_shorter_one_needs_a_tick(owner: Client) -> None:
    assert owner.post("/settings/privacy/periods", {"changes_days": 365, "deleted_days": 90}).status_code == 302
    shorter = {"changes_days": 365, "deleted_days": 30}
    response = owner.post("/settings/privacy/periods", shorter)
    assert response.status_code == 422
    assert "Tick the box" in response.content.decode()
    assert changes() == [{"changes_kept": "365 days"}]
    assert owner.post("/settings/privacy/periods", shorter | {"confirmed": "on"}).status_code == 302
    assert changes()[1:] == [{"deleted_kept": "30 days"}]
    assert "30 days. After that, only the patient's Cliniko ID" in page_of(owner)


@pytest.mark.parametrize(
    ("days", "sentence"),
    [("29", "At least 30 days"), ("731", "At most 730 days"), ("x", "whole number"), ("", "required")],
)
def test_an_invalid_period_is_refused_with_a_message(owner: Client, days: str, sentence: str) -> None:
    response = owner.post("/settings/privacy/periods", {"changes_days": days, "deleted_days": 90, "confirmed": "on"})
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert changes() == []


@pytest.fixture
def deleted_long_ago(two_clinics: None) -> None:
    """Patient 42 of bondi was deleted in Cliniko long ago."""
    with clinic_context("bondi"):
        mark_deleted(PATIENTS, ["42"], sequence=next_sequence())
        Patient.objects.filter(cliniko_id="42").update(deleted_at=timezone.now() - timedelta(days=91))


def test_the_page_shows_what_will_be_removed_tonight(deleted_long_ago: None, force_login: SignIn) -> None:
    assert "removes its copy of <strong>1</strong> deleted patient" in page_of(force_login("bondi", role="owner"))


def test_a_reduced_patient_has_a_page_with_team_notes(deleted_long_ago: None, force_login: SignIn) -> None:
    browser = force_login("bondi")
    with clinic_context("bondi"):
        write("42", "Owes us a key", by=User.objects.get())
        retention.delete_expired()
        assert Note.objects.count() == 1
    page = browser.get("/patients/42/").content.decode()
    assert "Deleted patient</h1>" in page
    assert "has since removed its copy, except the Cliniko ID" in page
    assert "Owes us a key" in page
    for gone in ("Unnamed</", "no date of birth in Cliniko", "Lindqvist"):
        assert gone not in page
