"""Two clinics with the same staff ids, emails, password hashes and patient id, and a mocked Cliniko."""

import io
import logging
import re
from collections.abc import Callable, Iterator

import pytest
import responses
import structlog
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from sync.resources import RESOURCES, listings
from tenants.context import clinic_context
from tests.conftest import PASSWORD
from tests.payloads import API
from tests.project.canary import CANARY, KEY, PATIENT_ID

ADA, BO = "Ada Lindqvist", "Bo Nakagawa"  # patient 42 at bondi, patient 42 at harbour
FIRST_ID = 7001  # far above the sequences, which rollbacks don't reset


@pytest.fixture
def same_staff(
    staff_member: Callable[..., User], add_patient: Callable[..., str], mark_imported: Callable[[str], None]
) -> dict[str, str]:
    """Create a staff member of each role at both clinics, with equal rows, and return their emails by role."""
    emails = {role.value: f"{role}@clinic.example" for role in Role}
    password = make_password(PASSWORD)
    for label, name in (("bondi", ADA), ("harbour", BO)):
        with clinic_context(label):
            User.objects.bulk_create(
                User(pk=FIRST_ID + number, email=emails[role], name="Robin Twin", role=role, password=password)
                for number, role in enumerate(Role)
            )
        first, last = name.split()
        add_patient(label, "42", first_name=first, last_name=last)
        mark_imported(label)
    return emails


@pytest.fixture
def staff_client(same_staff: dict[str, str]) -> Callable[..., Client]:
    """`staff_client("bondi", "owner")`: return a client signed in at that clinic, without its sign-in page."""

    def sign_in(label: str, role: str = Role.RECEPTION) -> Client:
        client = Client(HTTP_HOST=f"{label}.localhost")
        with clinic_context(label):
            client.force_login(User.objects.get(email=same_staff[role]))
        return client

    return sign_in


@pytest.fixture
def cliniko_network() -> Iterator[responses.RequestsMock]:
    """Mock the network: requests to Cliniko fail unless a test adds responses."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as network:
        yield network


@pytest.fixture
def csrf_client(same_staff: object) -> Callable[[str], Client]:
    """Like `clinic_client`, with CSRF checks as in production."""
    return lambda label: Client(enforce_csrf_checks=True, HTTP_HOST=f"{label}.localhost")


@pytest.fixture
def log_output(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Capture the output of our log handler, at level DEBUG."""
    root = logging.getLogger()
    (handler,) = [
        handler for handler in root.handlers if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)
    ]
    assert isinstance(handler, logging.StreamHandler)
    lines = io.StringIO()
    before, level = handler.setStream(lines), root.level
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(level)
    handler.setStream(before)


@pytest.fixture
def canary_cliniko(cliniko_network: responses.RequestsMock) -> responses.RequestsMock:
    """Mock Cliniko with the canary patient only."""
    cliniko_network.get(f"{API}/user", json={"first_name": "Kim", "last_name": "Key", "role": "administrator"})
    account = {"name": "Bondi Physio", "subdomain": "bondi", "time_zone": "Australia/Sydney"}
    cliniko_network.get(f"{API}/settings/public", json={"account": account})
    for listing in (each for resource in RESOURCES for each in listings(resource)):
        records = [CANARY] if listing.name == "patients" else []
        page = {listing.resource.name: records, "total_entries": len(records), "links": {}}
        cliniko_network.get(f"{API}/{listing.name}", json=page)
    cliniko_network.get(f"{API}/patients/{PATIENT_ID}", json=CANARY)
    cliniko_network.get(re.compile(rf"{API}/\w+/(1|42)$"), status=404)  # the other patients are not in this account
    return cliniko_network


@pytest.fixture
def connected_cliniko(
    same_staff: dict[str, str], canary_cliniko: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> responses.RequestsMock:
    """Store the canary key for bondi with the operators' command."""
    set_key(monkeypatch, KEY)
    return canary_cliniko


def set_key(monkeypatch: pytest.MonkeyPatch, key: str, *words: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{key}\n"))
    call_command("clinic", "set-key", "bondi", "--key-stdin", *words)
