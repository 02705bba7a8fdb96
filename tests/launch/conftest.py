"""Fixtures for the pages of two clinics. Patient 42 is Ada Lindqvist at bondi and Ben Okoro at harbour."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client

from audit.models import Event
from sync.models import Connection
from sync.refresh import Outcome
from sync.resources import RESOURCES
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context


@pytest.fixture
def reception(two_clinics: None, force_login: Callable[..., Client]) -> Client:
    """Bondi's receptionist, signed in."""
    return force_login("bondi")


@pytest.fixture
def connected_owner(two_clinics: None, force_login: Callable[..., Client]) -> Client:
    """Return bondi's owner's client; bondi's Cliniko account is on shard au1."""
    with clinic_context("bondi"):
        Connection.objects.update(shard="au1")
    return force_login("bondi", role="owner")


@dataclass
class Cliniko:
    """A stand-in for sync.refresh: `then()` writes to the mirror, then a refresh returns `outcome`."""

    outcome: Outcome = Outcome.UNKNOWN
    then: Callable[[], object] = lambda: None
    requested: list[str] = field(default_factory=list)

    def refresh_patient(self, cliniko_id: str, *, timeout: float = 2.5) -> Outcome:
        self.requested.append(cliniko_id)
        self.then()
        return self.outcome


@pytest.fixture
def cliniko(monkeypatch: pytest.MonkeyPatch) -> Cliniko:
    stand_in = Cliniko()
    monkeypatch.setattr("sync.refresh.refresh_patient", stand_in.refresh_patient)
    return stand_in


def written(payload: dict[str, Any], resource: str = "patients") -> Callable[[], object]:
    """Return a function that writes the payload to the current clinic's mirror, for `Cliniko.then`."""
    kind = next(kind for kind in RESOURCES if kind.name == resource)
    return lambda: write_page(kind, [payload], sequence=next_sequence())


def access_log(label: str) -> list[tuple[str, str, str]]:
    """Return the clinic's audit entries as (email, action, patient ID), oldest first."""
    with clinic_context(label):
        return list(Event.objects.order_by("pk").values_list("user_email", "action", "patient_id"))
