"""Pages after a clinic moved to another Cliniko account, whose patient 42 is another person."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from sync.models import Connection
from sync.refresh import Outcome
from tenants.context import clinic_context
from tests.launch.conftest import Cliniko
from tests.launch.views.test_patient_fresh import form_of, refresh


@pytest.fixture
def browsers(two_clinics: None, force_login: Callable[..., Client]) -> dict[str, Client]:
    return {label: force_login(label) for label in ("bondi", "harbour")}


@pytest.fixture
def forms(browsers: dict[str, Client], cliniko: Cliniko) -> dict[str, dict[str, str]]:
    """The forms of patient 42's open pages at both clinics, after bondi moved to another account."""
    cliniko.outcome = Outcome.FRESH
    forms = {label: form_of(browser.get("/patients/42/").content.decode()) for label, browser in browsers.items()}
    with clinic_context("bondi"):
        Connection.objects.update(account_since=timezone.now())
    return forms


def test_an_open_screen_does_not_become_another_person(
    browsers: dict[str, Client], forms: dict[str, dict[str, str]], cliniko: Cliniko
) -> None:
    response = refresh(browsers["bondi"], forms["bondi"])
    assert (response.status_code, response.content, cliniko.requested) == (403, b"", [])
    assert refresh(browsers["harbour"], forms["harbour"]).status_code == 200


def test_patients_of_the_former_account_are_not_recently_opened(
    browsers: dict[str, Client], forms: dict[str, dict[str, str]]
) -> None:
    assert "Lindqvist" not in browsers["bondi"].get("/").content.decode()
    assert "Okoro" in browsers["harbour"].get("/").content.decode()


def test_patients_of_the_new_account_are_recently_opened(
    browsers: dict[str, Client], forms: dict[str, dict[str, str]]
) -> None:
    form = form_of(browsers["bondi"].get("/patients/42/").content.decode())
    assert refresh(browsers["bondi"], form).status_code == 200
    assert "Lindqvist" in browsers["bondi"].get("/").content.decode()
