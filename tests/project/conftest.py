"""Two clinics that are as alike as they can be: same staff, ids, e-mails, passwords and hashes, same patient id."""

from collections.abc import Callable, Iterator

import pytest
import responses
from django.contrib.auth.hashers import make_password
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from tenants.context import clinic_context
from tests.conftest import PASSWORD

ADA, BO = "Ada Lindqvist", "Bo Nakagawa"  # patient 42 at bondi, patient 42 at harbour
FIRST_ID = 7001  # far from where the sequences are, which rollbacks leave anywhere


@pytest.fixture
def alike(
    staff_member: Callable[..., User], add_patient: Callable[..., str], mark_imported: Callable[[str], None]
) -> dict[str, str]:
    """One member of staff of each role at both clinics, the rows equal to the last column; their e-mails by role."""
    emails = {role.value: f"{role}@clinic.example" for role in Role}
    password = make_password(PASSWORD)
    for label, name in (("bondi", ADA), ("harbour", BO)):
        with clinic_context(label):
            User.objects.bulk_create(
                User(pk=FIRST_ID + place, email=emails[role], name="Robin Twin", role=role, password=password)
                for place, role in enumerate(Role)
            )
        first, last = name.split()
        add_patient(label, "42", first_name=first, last_name=last)
        mark_imported(label)
    return emails


@pytest.fixture
def staff_client(alike: dict[str, str]) -> Callable[..., Client]:
    """`staff_client("bondi", "owner")`: a browser with a session of that clinic, made without its sign-in page."""

    def browser(label: str, role: str = Role.RECEPTION) -> Client:
        client = Client(HTTP_HOST=f"{label}.localhost")
        with clinic_context(label):
            client.force_login(User.objects.get(email=alike[role]))
        return client

    return browser


@pytest.fixture
def no_cliniko() -> Iterator[responses.RequestsMock]:
    """A network without Cliniko: calls are counted and fail."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as network:
        yield network


@pytest.fixture
def csrf_client(alike: object) -> Callable[[str], Client]:
    """Like `clinic_client`, and CSRF tokens are checked as in production."""
    return lambda label: Client(enforce_csrf_checks=True, HTTP_HOST=f"{label}.localhost")
