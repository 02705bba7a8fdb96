"""Medicare and DVA numbers: off, then covered, then shown to whoever asks, with a row for each look."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError
from django.test import Client

from audit.models import Event
from launch.models import ClinicSettings
from tenants.context import clinic_context
from tests.launch.conftest import access_log

HTMX = {"HX-Request": "true"}
NUMBERS = {"medicare": "2123 45670 1", "medicare_reference_number": "3", "dva_card_number": "NX123456"}


@pytest.fixture
def carded(reception: Client, add_patient: Callable[..., str]) -> Client:
    """Bondi's receptionist; Ada has both cards, and so has patient 42 of harbour."""
    for label in ("bondi", "harbour"):
        add_patient(label, "42", updated_at="2026-02-01T00:00:00Z", **NUMBERS)
    return reception


@pytest.fixture
def switched_on(carded: Client) -> Client:
    with clinic_context("bondi"):
        ClinicSettings.objects.create(id=1, shows_card_numbers=True)
    return carded


def page_of(browser: Client) -> str:
    return browser.get("/patients/42/").content.decode()


def test_without_the_clinics_wish_there_is_nothing_of_them(carded: Client) -> None:
    page = page_of(carded)
    assert "Medicare" not in page
    assert "2123 4" not in page
    assert "21234" not in page
    assert carded.post("/patients/42/card-numbers", headers=HTMX).status_code == 404
    assert [action for _, action, _ in access_log("bondi")] == ["viewed"]


def test_they_are_covered_until_asked_for(switched_on: Client) -> None:
    page = page_of(switched_on)
    assert "Medicare" in page
    assert "Show the numbers" in page
    assert not [number for number in NUMBERS.values() if len(number) > 1 and number in page]


def test_asking_uncovers_them_with_a_row_in_the_access_log(switched_on: Client) -> None:
    answer = switched_on.post("/patients/42/card-numbers", headers=HTMX).content.decode()
    assert "2123 45670 1 / 3" in answer
    assert "NX123456" in answer
    assert access_log("bondi") == [("reception@clinic.example", "revealed", "42")]


def test_without_a_script_they_have_a_page(switched_on: Client) -> None:
    answer = switched_on.post("/patients/42/card-numbers").content.decode()
    assert answer.startswith("<!doctype html>")
    assert "NX123456" in answer


def test_without_its_row_nothing_is_uncovered(switched_on: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**fields: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(Event.objects, "create", refuse)
    answer = switched_on.post("/patients/42/card-numbers", headers=HTMX)
    assert answer.status_code == 503
    assert "NX123456" not in answer.content.decode()


def test_the_wish_of_one_clinic_is_not_that_of_the_other(
    switched_on: Client, force_login: Callable[..., Client]
) -> None:
    assert force_login("harbour").post("/patients/42/card-numbers", headers=HTMX).status_code == 404


def test_a_patient_without_cards_has_no_such_place(switched_on: Client, add_patient: Callable[..., str]) -> None:
    add_patient("bondi", "43")
    assert "Card numbers" not in switched_on.get("/patients/43/").content.decode()
    assert switched_on.post("/patients/43/card-numbers").status_code == 404


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_owners_and_admins_switch_them_on_and_off(
    carded: Client, force_login: Callable[..., Client], role: str
) -> None:
    manager = force_login("bondi", role=role)
    assert "Let staff uncover them" in manager.get("/settings/").content.decode()
    manager.post("/settings/card-numbers", {"shown": "yes"})
    assert "Show the numbers" in page_of(carded)
    manager.post("/settings/card-numbers", {"shown": "no"})
    assert "Medicare" not in page_of(carded)


def test_what_is_switched_on_already_is_no_line_of_the_log(force_login: Callable[..., Client]) -> None:
    manager = force_login("bondi", role="owner")
    for shown in ("no", "yes", "yes", "no", "no"):
        assert manager.post("/settings/card-numbers", {"shown": shown}).status_code == 302
    with clinic_context("bondi"):
        lines = Event.objects.filter(action="settings_changed").order_by("id").values_list("details", flat=True)
        assert [line["card_numbers"] for line in lines] == ["shown", "not shown"]


@pytest.mark.parametrize("role", ["clinician", "reception", "readonly"])
def test_others_do_not(carded: Client, force_login: Callable[..., Client], role: str) -> None:
    assert force_login("bondi", role=role).post("/settings/card-numbers", {"shown": "yes"}).status_code == 403
    assert "Medicare" not in page_of(carded)


def test_switching_them_on_and_off_are_lines_in_the_log(force_login: Callable[..., Client]) -> None:
    owner = force_login("bondi", role="owner")
    owner.post("/settings/card-numbers", {"shown": "yes"})
    owner.post("/settings/card-numbers", {"shown": "no"})
    with clinic_context("bondi"):
        lines = Event.objects.filter(action="settings_changed").order_by("pk").values_list("user_email", "details")
        assert [*lines] == [
            ("owner@clinic.example", {"card_numbers": "shown"}),
            ("owner@clinic.example", {"card_numbers": "not shown"}),
        ]
