"""Medicare and DVA numbers: off, hidden, or revealed on request with an audit entry each time."""

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
def with_cards(reception: Client, add_patient: Callable[..., str]) -> Client:
    """Bondi's receptionist. Patient 42 has both cards, at both clinics."""
    for label in ("bondi", "harbour"):
        add_patient(label, "42", updated_at="2026-02-01T00:00:00Z", **NUMBERS)
    return reception


@pytest.fixture
def enabled(with_cards: Client) -> Client:
    with clinic_context("bondi"):
        ClinicSettings.objects.create(id=1, shows_card_numbers=True)
    return with_cards


def page_of(browser: Client) -> str:
    return browser.get("/patients/42/").content.decode()


def test_they_are_nowhere_unless_the_clinic_shows_them(with_cards: Client) -> None:
    page = page_of(with_cards)
    assert "Medicare" not in page
    assert "2123 4" not in page
    assert "21234" not in page
    assert with_cards.post("/patients/42/card-numbers", headers=HTMX).status_code == 404
    assert [action for _, action, _ in access_log("bondi")] == ["viewed"]


def test_they_are_hidden_until_requested(enabled: Client) -> None:
    page = page_of(enabled)
    assert "Medicare" in page
    assert "Show numbers" in page
    assert not [number for number in NUMBERS.values() if len(number) > 1 and number in page]


def test_revealing_them_writes_an_audit_entry(enabled: Client) -> None:
    response = enabled.post("/patients/42/card-numbers", headers=HTMX).content.decode()
    assert "2123 45670 1 / 3" in response
    assert "NX123456" in response
    assert access_log("bondi") == [("reception@clinic.example", "revealed", "42")]


def test_they_have_a_page_without_javascript(enabled: Client) -> None:
    response = enabled.post("/patients/42/card-numbers").content.decode()
    assert response.startswith("<!doctype html>")
    assert "NX123456" in response


def test_nothing_is_revealed_when_the_entry_cannot_be_written(enabled: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**fields: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(Event.objects, "create", refuse)
    response = enabled.post("/patients/42/card-numbers", headers=HTMX)
    assert response.status_code == 503
    assert "NX123456" not in response.content.decode()


def test_each_clinic_has_its_own_setting(enabled: Client, force_login: Callable[..., Client]) -> None:
    assert force_login("harbour").post("/patients/42/card-numbers", headers=HTMX).status_code == 404


def test_a_patient_without_cards_has_no_card_section(enabled: Client, add_patient: Callable[..., str]) -> None:
    add_patient("bondi", "43")
    assert "Card numbers" not in enabled.get("/patients/43/").content.decode()
    assert enabled.post("/patients/43/card-numbers").status_code == 404


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_owners_and_admins_switch_them_on_and_off(
    with_cards: Client, force_login: Callable[..., Client], role: str
) -> None:
    manager = force_login("bondi", role=role)
    assert "Let staff reveal them" in manager.get("/settings/").content.decode()
    manager.post("/settings/card-numbers", {"shown": "yes"})
    assert "Show numbers" in page_of(with_cards)
    manager.post("/settings/card-numbers", {"shown": "no"})
    assert "Medicare" not in page_of(with_cards)


def test_what_is_enabled_already_is_no_line_of_the_log(force_login: Callable[..., Client]) -> None:
    manager = force_login("bondi", role="owner")
    for shown in ("no", "yes", "yes", "no", "no"):
        assert manager.post("/settings/card-numbers", {"shown": shown}).status_code == 302
    with clinic_context("bondi"):
        entries = Event.objects.filter(action="settings_changed").order_by("id").values_list("details", flat=True)
        assert [details["card_numbers"] for details in entries] == ["shown", "not shown"]


@pytest.mark.parametrize("role", ["clinician", "reception", "readonly"])
def test_other_roles_cannot_switch_them_on(with_cards: Client, force_login: Callable[..., Client], role: str) -> None:
    assert force_login("bondi", role=role).post("/settings/card-numbers", {"shown": "yes"}).status_code == 403
    assert "Medicare" not in page_of(with_cards)


def test_switching_them_on_and_off_writes_entries(force_login: Callable[..., Client]) -> None:
    owner = force_login("bondi", role="owner")
    owner.post("/settings/card-numbers", {"shown": "yes"})
    owner.post("/settings/card-numbers", {"shown": "no"})
    with clinic_context("bondi"):
        entries = Event.objects.filter(action="settings_changed").order_by("pk").values_list("user_email", "details")
        assert [*entries] == [
            ("owner@clinic.example", {"card_numbers": "shown"}),
            ("owner@clinic.example", {"card_numbers": "not shown"}),
        ]
