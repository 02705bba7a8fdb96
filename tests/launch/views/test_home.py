"""Home: search and recently opened."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from audit.models import Event
from sync.models import Connection, Cursor
from tenants.context import clinic_context
from tests.launch.conftest import access_log

HTMX = {"HX-Request": "true"}


def search(browser: Client, text: str) -> str:
    return browser.post("/search", {"text": text}, headers=HTMX).content.decode()


def test_search_finds_only_this_clinics_patients(two_clinics: None, force_login: Callable[..., Client]) -> None:
    assert 'href="/patients/42/"' in search(force_login("bondi"), "ada")
    assert "No patients found" in search(force_login("harbour"), "ada")


def test_a_result_has_name_age_and_phone(reception: Client, add_patient: Callable[..., str]) -> None:
    born = timezone.localdate() - timedelta(days=100)
    add_patient("bondi", "43", first_name="Tiny", date_of_birth=born.isoformat())
    found = search(reception, "tiny")
    assert "Tiny Lindqvist" in found
    assert "under 1" in found
    assert "0491 570 006" in found


def test_it_works_without_javascript(reception: Client) -> None:
    page = reception.post("/search", {"text": "lindqvist ada"}).content.decode()
    assert page.startswith("<!doctype html>")
    assert "Ada Lindqvist" in page
    assert 'value="lindqvist ada"' in page


def test_the_search_text_is_never_in_a_url(reception: Client) -> None:
    response = reception.get("/search", {"text": "ada"})
    assert (response.status_code, response["Location"]) == (302, "/")


def test_a_search_writes_an_audit_entry_without_its_text(reception: Client) -> None:
    search(reception, "ada")
    assert access_log("bondi") == [("reception@clinic.example", "searched", "")]


def test_an_empty_search_is_no_search(reception: Client) -> None:
    assert "No patients opened yet" in search(reception, "  \x00 ")
    assert access_log("bondi") == []


def test_a_search_shows_no_one_when_its_entry_cannot_be_written(
    reception: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**fields: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(Event.objects, "create", refuse)
    response = reception.post("/search", {"text": "ada"}, headers=HTMX)
    assert response.status_code == 503
    assert "Lindqvist" not in response.content.decode()


@pytest.mark.parametrize(
    "text", ["x" * 5000, "'; DROP TABLE", "\x00\x00", "%", "_", "\\", "<b>", "😀", "٤٢", "1/1/0000"]
)
def test_odd_search_texts_are_handled(reception: Client, text: str) -> None:
    response = reception.post("/search", {"text": text}, headers=HTMX)
    assert response.status_code == 200
    assert "<b>" not in response.content.decode()


def test_a_long_result_is_cut_and_says_so(reception: Client, add_patient: Callable[..., str]) -> None:
    for number in range(100, 125):
        add_patient("bondi", str(number), first_name="Twin")
    found = search(reception, "twin")
    assert found.count("<li>") == 20
    assert "First 20 matches" in found


def test_recently_opened_patients_are_shown_with_an_audit_entry(
    reception: Client, add_patient: Callable[..., str]
) -> None:
    reception.get("/")
    assert access_log("bondi") == []
    add_patient("bondi", "42")
    reception.get("/patients/42/")
    reception.get("/")
    assert [action for _, action, _ in access_log("bondi")] == ["viewed", "listed"]


def test_recently_opened_patients_are_the_users_own_latest_first(
    reception: Client, add_patient: Callable[..., str], force_login: Callable[..., Client]
) -> None:
    for number, name in enumerate(["First", "Second", "Third"], start=50):
        add_patient("bondi", str(number), first_name=name)
    for patient_id in ("50", "51", "50"):
        reception.get(f"/patients/{patient_id}/")
    force_login("bondi", role="clinician").get("/patients/52/")
    page = reception.get("/").content.decode()
    assert page.index("First Lindqvist") < page.index("Second Lindqvist")
    assert page.count("First Lindqvist") == 1
    assert "Third" not in page


def test_at_most_eight_recently_opened_patients_are_listed(reception: Client, add_patient: Callable[..., str]) -> None:
    for number in range(60, 70):
        add_patient("bondi", str(number))
        reception.get(f"/patients/{number}/")
    assert reception.get("/").content.decode().count('class="patient-list__name"') == 8


def test_a_running_import_is_shown(reception: Client) -> None:
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="patients").update(imported_at=None)
    assert "being copied from Cliniko" in reception.get("/").content.decode()


@pytest.mark.parametrize(("role", "may_act"), [("owner", True), ("reception", False)])
def test_a_missing_key_is_shown_with_a_link_for_those_who_can_act(
    two_clinics: None, force_login: Callable[..., Client], role: str, may_act: bool
) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(state=Connection.State.NO_KEY, sealed_key="")
    page = force_login("bondi", role=role).get("/").content.decode()
    assert "connected to Cliniko yet" in page
    assert ('class="button button--small" href="/settings/"' in page) is may_act


@pytest.mark.parametrize("path", ["/", "/search"])
def test_visitors_are_sent_to_sign_in(two_clinics: None, clinic_client: Callable[[str], Client], path: str) -> None:
    response = clinic_client("bondi").get(path)
    assert response.status_code == 302
    assert response["Location"].startswith("/login")
