"""What staff see at two clinics where patient 42 is somebody else: Ada Lindqvist at bondi, Ben Okoro at harbour."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from audit.models import Event
from sync.refresh import Outcome
from sync.resources import RESOURCES
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context

AddRecord = Callable[[str, str, dict[str, Any]], None]


@pytest.fixture
def two_clinics(add_patient: Callable[..., str], mirrored: Callable[[str], None]) -> None:
    """Patient 42 in the mirrors of both clinics."""
    for label, first, last in (("bondi", "Ada", "Lindqvist"), ("harbour", "Ben", "Okoro")):
        add_patient(label, "42", first_name=first, last_name=last)
        mirrored(label)


@pytest.fixture
def sign_in(browser_at: Callable[[str], Client], staff_of: Callable[..., User]) -> Callable[..., Client]:
    """`sign_in("bondi", role="owner")`: a browser with a session of that clinic, made without its sign-in page.

    That page has tests of its own, and here it would be half of most tests' time.
    """

    def signed_in(label: str, role: str = Role.RECEPTION, email: str = "") -> Client:
        user, browser = staff_of(label, role, email), browser_at(label)
        with clinic_context(label):
            browser.force_login(user)
        return browser

    return signed_in


@pytest.fixture
def reception(two_clinics: None, sign_in: Callable[..., Client]) -> Client:
    """Bondi's receptionist, signed in."""
    return sign_in("bondi")


@pytest.fixture
def add_record(db: None) -> AddRecord:
    """`add_record("bondi", "medical_alerts", payload)`: put any record into the clinic's mirror."""

    def add(label: str, resource: str, payload: dict[str, Any]) -> None:
        kind = next(kind for kind in RESOURCES if kind.name == resource)
        with clinic_context(label):
            write_page(kind, [payload], sequence=next_sequence())

    return add


@dataclass
class Cliniko:
    """Cliniko as a re-read finds it: `outcome`, after `then()` wrote what it brought into the clinic's mirror."""

    outcome: Outcome = Outcome.UNKNOWN
    then: Callable[[], object] = lambda: None
    asked: list[str] = field(default_factory=list)

    def refresh_patient(self, cliniko_id: str, *, timeout: float = 2.5) -> Outcome:
        self.asked.append(cliniko_id)
        self.then()
        return self.outcome


@pytest.fixture
def cliniko(monkeypatch: pytest.MonkeyPatch) -> Cliniko:
    stand_in = Cliniko()
    monkeypatch.setattr("sync.refresh.refresh_patient", stand_in.refresh_patient)
    return stand_in


def written(payload: dict[str, Any], resource: str = "patients") -> Callable[[], object]:
    """What a re-read does inside the clinic whose page asked."""
    kind = next(kind for kind in RESOURCES if kind.name == resource)
    return lambda: write_page(kind, [payload], sequence=next_sequence())


def access_log(label: str) -> list[tuple[str, str, str]]:
    """Who did what with whom at the clinic, oldest first."""
    with clinic_context(label):
        return list(Event.objects.order_by("pk").values_list("user_email", "action", "patient_id"))
