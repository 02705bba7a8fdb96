"""The patient screen."""

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.roles import PERMISSIONS, Role
from audit.models import Event
from sync.models import Connection, Cursor
from sync.refresh import Outcome
from tenants.context import clinic_context
from tests.conftest import AddRecord
from tests.launch.conftest import Cliniko, access_log, written
from tests.payloads import API, alert_payload, appointment_payload, patient_payload

AddPatient = Callable[..., str]
SignIn = Callable[..., Client]


def merged_into(survivor: str) -> dict[str, Any]:
    return {
        "archived_at": "2026-01-01T00:00:00Z",
        "merged_at": "2026-01-01T00:00:00Z",
        "merged_with_patient": {"links": {"self": f"{API}/patients/{survivor}"}},
    }


def heading(page: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)
    return html.unescape(re.sub("<.*?>", "", found[1])).strip() if found else ""


def page_of(browser: Client, patient_id: str = "42", status: int = 200) -> str:
    response = browser.get(f"/patients/{patient_id}/")
    assert response.status_code == status, response
    return response.content.decode()


# --- Who ---------------------------------------------------------------------------------------------------------


def test_it_shows_the_patient_of_this_clinic(two_clinics: None, force_login: SignIn) -> None:
    at_bondi, at_harbour = page_of(force_login("bondi")), page_of(force_login("harbour"))
    assert (heading(at_bondi), heading(at_harbour)) == ("Ada Lindqvist", "Ben Okoro")
    assert "Okoro" not in at_bondi
    assert "Lindqvist" not in at_harbour


def test_the_title_starts_with_the_name(reception: Client) -> None:
    assert "<title>Ada Lindqvist · Bondi Physio</title>" in page_of(reception)


def test_it_shows_the_preferred_name_beside_the_name(reception: Client, add_patient: AddPatient) -> None:
    add_patient("bondi", "43", first_name="Sunita", last_name="Rao", preferred_first_name="Sunny")
    page = page_of(reception, "43")
    assert heading(page) == "Sunita Rao"
    assert "prefers <bdi>Sunny</bdi>" in page


def test_ids_that_a_float_would_merge_are_two_patients(reception: Client, add_patient: AddPatient) -> None:
    add_patient("bondi", "9007199254740992", first_name="Even")
    add_patient("bondi", "9007199254740993", first_name="Odd")
    assert heading(page_of(reception, "9007199254740992")) == "Even Lindqvist"
    assert heading(page_of(reception, "9007199254740993")) == "Odd Lindqvist"


def test_visitors_are_sent_to_sign_in(two_clinics: None, clinic_client: Callable[[str], Client]) -> None:
    response = clinic_client("bondi").get("/patients/42/")
    assert response.status_code == 302
    assert response["Location"].startswith("/login?t=")
    assert access_log("bondi") == []


# --- The access log ----------------------------------------------------------------------------------------------


def test_a_view_writes_one_audit_entry_at_this_clinic_only(reception: Client) -> None:
    page_of(reception)
    assert access_log("bondi") == [("reception@clinic.example", "viewed", "42")]
    assert access_log("harbour") == []


def test_the_entry_has_the_request_id(reception: Client) -> None:
    request_id = reception.get("/patients/42/")["X-Request-ID"]
    with clinic_context("bondi"):
        assert Event.objects.get().request_id == request_id


@pytest.mark.parametrize(("path", "patient_id"), [("/patients/42/", "42"), ("/", "")])
def test_a_role_without_permission_is_refused_with_an_entry(
    reception: Client, monkeypatch: pytest.MonkeyPatch, cliniko: Cliniko, path: str, patient_id: str
) -> None:
    monkeypatch.setitem(PERMISSIONS, Role.RECEPTION, frozenset())
    response = reception.get(path)
    assert response.status_code == 403
    assert "Lindqvist" not in response.content.decode()
    assert access_log("bondi") == [("reception@clinic.example", "denied", patient_id)]
    assert cliniko.requested == []


def test_nothing_is_shown_when_the_entry_cannot_be_written(reception: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**fields: object) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(Event.objects, "create", refuse)
    page = page_of(reception, status=503)
    assert "This page can&#x27;t be shown right now" in page
    assert "Lindqvist" not in page
    assert "17 Apr 1990" not in page
    assert "1990-04-17" not in page


def test_the_log_outlives_the_account(reception: Client) -> None:
    page_of(reception)
    with clinic_context("bondi"):
        User.objects.get(email="reception@clinic.example").delete()
    assert access_log("bondi") == [("reception@clinic.example", "viewed", "42")]


# --- A patient who is not in the mirror --------------------------------------------------------------------------


def test_a_new_patient_is_fetched_and_shown(reception: Client, cliniko: Cliniko) -> None:
    cliniko.outcome, cliniko.then = Outcome.FRESH, written(patient_payload("77", first_name="Nova"))
    assert heading(page_of(reception, "77")) == "Nova Lindqvist"
    assert cliniko.requested == ["77"]
    assert access_log("bondi") == [("reception@clinic.example", "viewed", "77")]


def test_a_mirrored_patient_is_shown_without_asking_cliniko(reception: Client, cliniko: Cliniko) -> None:
    page_of(reception)
    assert cliniko.requested == []


def test_an_unknown_patient_is_explained(reception: Client, cliniko: Cliniko) -> None:
    page = page_of(reception, "99", status=404)
    assert heading(page) == "This patient isn't in your clinic's Cliniko account"
    assert "another clinic" in page
    assert "Back to search" in page
    assert access_log("bondi") == [("reception@clinic.example", "not_found", "99")]


def test_a_patient_of_the_other_clinic_is_unknown_here(
    reception: Client, add_patient: AddPatient, cliniko: Cliniko
) -> None:
    add_patient("harbour", "4711", first_name="Zelda")
    assert "Zelda" not in page_of(reception, "4711", status=404)


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        (Outcome.RATE_LIMITED, "Cliniko is busy"),
        (Outcome.UNREACHABLE, "Cliniko isn't responding"),
        (Outcome.KEY_INVALID, "Cliniko no longer accepts this clinic's API key"),
        (Outcome.KEY_FORBIDDEN, "This clinic's API key can't read this patient"),
        (Outcome.NO_KEY, "This clinic isn't connected to Cliniko yet"),
        (Outcome.FRESH, "Cliniko's answer couldn't be read"),
    ],
)
def test_each_outcome_has_its_own_page(reception: Client, cliniko: Cliniko, outcome: Outcome, title: str) -> None:
    cliniko.outcome = outcome
    response = reception.get("/patients/77/")
    assert (response.status_code, heading(response.content.decode())) == (503, title)
    assert response["Retry-After"]


def test_a_second_tab_waits_for_the_first_ones_fetch(
    reception: Client, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
) -> None:
    cliniko.outcome = Outcome.BUSY
    arrives = written(patient_payload("77", first_name="Nova"))
    monkeypatch.setattr("launch.find_patient.time.sleep", lambda seconds: arrives())
    assert heading(page_of(reception, "77")) == "Nova Lindqvist"
    assert cliniko.requested == ["77"]


def test_a_second_tab_times_out(reception: Client, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch) -> None:
    cliniko.outcome = Outcome.BUSY
    monkeypatch.setattr("launch.find_patient.FETCH_SECONDS", 0.01)
    assert heading(page_of(reception, "77", status=503)) == "Sidechart is already asking Cliniko about this patient"


# --- Merged, archived, deleted -----------------------------------------------------------------------------------


def test_a_merged_patient_redirects_to_the_survivor(reception: Client, add_patient: AddPatient) -> None:
    add_patient("bondi", "43", **merged_into("42"))
    response = reception.get("/patients/43/", follow=True)
    assert response.redirect_chain == [("/patients/42/?merged=43", 302)]
    assert "was merged into this one" in response.content.decode()
    assert access_log("bondi") == [("reception@clinic.example", "viewed", "42")]


def test_merges_are_followed_to_the_end(reception: Client, add_patient: AddPatient) -> None:
    add_patient("bondi", "44", **merged_into("43"))
    add_patient("bondi", "43", **merged_into("42"))
    assert reception.get("/patients/44/")["Location"] == "/patients/42/?merged=44"


def test_a_survivor_who_is_not_mirrored_is_fetched(
    reception: Client, add_patient: AddPatient, cliniko: Cliniko
) -> None:
    add_patient("bondi", "43", **merged_into("77"))
    cliniko.outcome, cliniko.then = Outcome.FRESH, written(patient_payload("77", first_name="Nova"))
    response = reception.get("/patients/43/", follow=True)
    assert heading(response.content.decode()) == "Nova Lindqvist"


def test_merges_in_a_circle_show_the_requested_patient(reception: Client, add_patient: AddPatient) -> None:
    add_patient("bondi", "43", **merged_into("44"))
    add_patient("bondi", "44", **merged_into("43"))
    assert ">Merged<" in page_of(reception, "43")


@pytest.mark.parametrize("claimed", ["43", "42", "99", "x", "<b>"])
def test_a_false_merge_in_the_url_is_ignored(reception: Client, add_patient: AddPatient, claimed: str) -> None:
    add_patient("bondi", "43")
    assert "merged" not in reception.get("/patients/42/", {"merged": claimed}).content.decode().lower()


def test_an_archived_patient_is_shown_with_a_chip(reception: Client, add_patient: AddPatient) -> None:
    add_patient("bondi", "43", archived_at="2026-01-01T00:00:00Z")
    assert ">Archived<" in page_of(reception, "43")
    assert ">Archived<" not in page_of(reception, "42")


def test_a_deleted_patient_shows_only_that_they_were_deleted(reception: Client, add_patient: AddPatient) -> None:
    add_patient("bondi", "43", first_name="Gone", deleted_at="2026-01-01T00:00:00Z", notes="Afraid of needles")
    page = page_of(reception, "43")
    assert heading(page) == "Gone Lindqvist"
    assert "was deleted in Cliniko" in page
    assert "needles" not in page
    assert "0491 570 006" not in page


# --- What it shows -----------------------------------------------------------------------------------------------


def test_alerts_come_first(reception: Client, add_record: AddRecord) -> None:
    add_record("bondi", "medical_alerts", alert_payload("7", "42", "Penicillin"))
    page = page_of(reception)
    assert page.index("Penicillin") < min(page.index(word) for word in ("Next appointment", "Contact", "Checked"))
    assert "1 alert<" in page


def test_no_alerts_is_shown_only_when_it_is_known(reception: Client) -> None:
    assert "No medical alerts in Cliniko." in page_of(reception)
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="medical_alerts").update(refused_at=timezone.now())
    page = page_of(reception)
    assert "No medical alerts in Cliniko." not in page
    assert "Alerts can&#x27;t be shown" in page


@pytest.mark.parametrize(
    ("accepted", "words"),
    [
        (True, "Privacy policy accepted"),
        (False, "Privacy policy declined"),
        (None, "Privacy policy not recorded"),
    ],
)
def test_the_privacy_policy_is_accepted_declined_or_not_recorded(
    reception: Client, add_patient: AddPatient, accepted: bool | None, words: str
) -> None:
    add_patient("bondi", "43", accepted_privacy_policy=accepted)
    assert words in page_of(reception, "43")


def test_times_are_in_the_clinics_time_zone(reception: Client, add_record: AddRecord) -> None:
    add_record("bondi", "individual_appointments", appointment_payload("9", "42", "2024-12-31T22:30:00Z"))
    page = page_of(reception)
    assert "Wed 1 Jan 2025" in page  # half past nine in Sydney, still the day before in UTC
    assert "9:30 am" in page


def test_next_and_last_appointments_skip_cancelled_and_missed_ones(reception: Client, add_record: AddRecord) -> None:
    now = timezone.now()
    in_days: dict[int, dict[str, Any]] = {
        2: {"cancelled_at": "2026-01-01T00:00:00Z"},
        5: {},
        -2: {"did_not_arrive": True},
        -40: {},
    }
    for number, (days, fields) in enumerate(in_days.items(), start=1):
        starts_at = (now + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        add_record("bondi", "individual_appointments", appointment_payload(str(number), "42", starts_at, **fields))
    page = page_of(reception)
    assert re.search(r"Next appointment.*?in 5 days", page, re.DOTALL)
    assert re.search(r"Last appointment.*?5 weeks ago", page, re.DOTALL)
    assert ">Cancelled<" in page
    assert ">Did not arrive<" in page


def test_contact_details_can_be_called_and_copied(reception: Client) -> None:
    page = page_of(reception)
    assert 'href="tel:0491570006"' in page
    assert 'href="mailto:ada@example.com"' in page
    for text in ("0491 570 006", "ada@example.com", "1 Example Street, Bondi NSW 2026, Australia"):
        assert f'data-copy="{text}"' in page


def test_empty_fields_are_not_shown(reception: Client, add_patient: AddPatient) -> None:
    add_patient(
        "bondi", "43", email="", patient_phone_numbers=[], address_1="", city="", state="", post_code="", country=""
    )
    page = page_of(reception, "43")
    assert "No phone, email or address in Cliniko." in page
    for label in ("Email", "Occupation", "Emergency contact", "Notes in Cliniko", "None<", "null"):
        assert label not in page.replace("No phone, email or address", "")


def test_custom_fields_are_grouped_by_section(reception: Client, add_patient: AddPatient) -> None:
    answered = {"name": "Sport", "type": "text", "value": "Rowing"}
    empty = {"name": "Team colour", "type": "text", "value": ""}
    add_patient("bondi", "43", custom_fields={"sections": [{"name": "Goals", "fields": [answered, empty]}]})
    page = page_of(reception, "43")
    assert page.index("Goals") < page.index("Sport") < page.index("Rowing")
    assert "Team colour" not in page


@pytest.mark.parametrize("field", ["first_name", "preferred_first_name", "notes", "occupation", "pronouns", "city"])
def test_markup_in_a_record_is_inert(reception: Client, add_patient: AddPatient, field: str) -> None:
    add_patient("bondi", "43", **{field: "<img src=x onerror=alert(1)>"})
    page = page_of(reception, "43")
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_markup_in_an_email_address_stays_in_its_attribute(reception: Client, add_patient: AddPatient) -> None:
    add_patient("bondi", "43", email='a@b.c"onmouseover="alert(1)?bcc=evil@example.com')
    page = page_of(reception, "43")
    assert 'onmouseover="' not in page
    assert "?bcc=evil" not in page.split("mailto:")[1].split('"')[0]


def test_it_uses_the_clinics_word_for_patient(two_clinics: None, force_login: SignIn, add_patient: AddPatient) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(patient_word="client")
    add_patient("bondi", "43", deleted_at="2026-01-01T00:00:00Z")
    assert "This client was deleted in Cliniko" in page_of(force_login("bondi"), "43")
    assert "Find a client" in force_login("bondi").get("/").content.decode()


def test_it_links_to_the_same_patient_in_cliniko(reception: Client) -> None:
    assert re.search(r'href="https://bondi\.[^"]*/patients/42"[^>]*>Open in Cliniko', page_of(reception))


def test_it_is_not_cached(reception: Client) -> None:
    assert "no-store" in reception.get("/patients/42/")["Cache-Control"]


def test_the_page_has_no_inline_style_or_script(reception: Client) -> None:
    page = page_of(reception)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
    assert all("src=" in tag and "nonce=" in tag for tag in re.findall(r"<script[^>]*>", page))
    assert not re.search(r'(?:src|href)="(?:https?:)?//(?!bondi\.[a-z0-9]*\.?cliniko\.com/patients/42")', page)


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_allows_only_get_and_head(reception: Client, method: str) -> None:
    assert getattr(reception, method)("/patients/42/").status_code == 405


def test_the_page_shows_when_it_was_checked_and_requests_a_fresh_copy(reception: Client) -> None:
    with clinic_context("bondi"):
        Cursor.objects.update(checked_at=timezone.now() - timedelta(minutes=3))
    page = page_of(reception)
    assert "3 minutes ago" in page
    assert 'hx-trigger="load, submit"' in page
