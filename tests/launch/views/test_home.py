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


def test_search_finds_this_clinics_patients_alone(two_clinics: None, force_login: Callable[..., Client]) -> None:
    assert 'href="/patients/42/"' in search(force_login("bondi"), "ada")
    assert "Nobody found" in search(force_login("harbour"), "ada")


def test_a_result_says_who_and_how_old_and_the_phone(reception: Client, add_patient: Callable[..., str]) -> None:
    born = timezone.localdate() - timedelta(days=100)
    add_patient("bondi", "43", first_name="Tiny", date_of_birth=born.isoformat())
    found = search(reception, "tiny")
    assert "Tiny Lindqvist" in found
    assert "under 1" in found
    assert "0491 570 006" in found


def test_it_works_without_a_script(reception: Client) -> None:
    page = reception.post("/search", {"text": "lindqvist ada"}).content.decode()
    assert page.startswith("<!doctype html>")
    assert "Ada Lindqvist" in page
    assert 'value="lindqvist ada"' in page


def test_the_text_is_in_no_address(reception: Client) -> None:
    answer = reception.get("/search", {"text": "ada"})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_a_search_leaves_a_row_without_its_text(reception: Client) -> None:
    search(reception, "ada")
    assert access_log("bondi") == [("reception@clinic.example", "searched", "")]


def test_an_empty_search_is_no_search(reception: Client) -> None:
    assert "Nobody opened yet" in search(reception, "  \x00 ")
    assert access_log("bondi") == []


def test_without_its_row_a_search_shows_nobody(reception: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**fields: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(Event.objects, "create", refuse)
    answer = reception.post("/search", {"text": "ada"}, headers=HTMX)
    assert answer.status_code == 503
    assert "Lindqvist" not in answer.content.decode()


@pytest.mark.parametrize(
    "text", ["x" * 5000, "'; DROP TABLE", "\x00\x00", "%", "_", "\\", "<b>", "😀", "٤٢", "1/1/0000"]
)
def test_odd_texts_are_answered(reception: Client, text: str) -> None:
    answer = reception.post("/search", {"text": text}, headers=HTMX)
    assert answer.status_code == 200
    assert "<b>" not in answer.content.decode()


def test_more_than_a_list_holds_is_said(reception: Client, add_patient: Callable[..., str]) -> None:
    for number in range(100, 125):
        add_patient("bondi", str(number), first_name="Twin")
    found = search(reception, "twin")
    assert found.count("<li>") == 20
    assert "The first 20" in found


def test_a_list_of_people_is_shown_only_with_its_row(reception: Client, add_patient: Callable[..., str]) -> None:
    reception.get("/")
    assert access_log("bondi") == []
    add_patient("bondi", "42")
    reception.get("/patients/42/")
    reception.get("/")
    assert [action for _, action, _ in access_log("bondi")] == ["viewed", "listed"]


def test_recently_opened_are_ones_own_latest_first(
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


def test_at_most_eight_are_listed(reception: Client, add_patient: Callable[..., str]) -> None:
    for number in range(60, 70):
        add_patient("bondi", str(number))
        reception.get(f"/patients/{number}/")
    assert reception.get("/").content.decode().count('class="people__name"') == 8


def test_an_import_under_way_is_said(reception: Client) -> None:
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="patients").update(imported_at=None)
    assert "being copied from Cliniko" in reception.get("/").content.decode()


@pytest.mark.parametrize(("role", "may_act"), [("owner", True), ("reception", False)])
def test_a_missing_key_is_said_with_a_step_for_those_who_can_take_it(
    two_clinics: None, force_login: Callable[..., Client], role: str, may_act: bool
) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(state=Connection.State.NO_KEY, sealed_key="")
    page = force_login("bondi", role=role).get("/").content.decode()
    assert "not connected to Cliniko" in page
    assert ('class="button button--small" href="/settings/"' in page) is may_act


@pytest.mark.parametrize("path", ["/", "/search"])
def test_visitors_are_sent_to_sign_in(two_clinics: None, clinic_client: Callable[[str], Client], path: str) -> None:
    answer = clinic_client("bondi").get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login")
