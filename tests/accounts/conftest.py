"""Fixtures for accounts. Stand-in pages replace those of the packages above it."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.invitations import InvitationRefused
from accounts.models import User
from accounts.staff import ChangeRefused
from audit.log import AuditUnavailable
from audit.models import Event
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.accounts.second_factors import add_app
from tests.conftest import PASSWORD


@pytest.fixture(autouse=True)
def stand_in_pages(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.accounts.urls"


@pytest.fixture
def csrf_client(bondi: Clinic, harbour: Clinic) -> Callable[[str], Client]:
    """Like `clinic_client`, but checks CSRF tokens as in production."""
    return lambda label: Client(enforce_csrf_checks=True, HTTP_HOST=f"{label}.localhost")


@pytest.fixture
def email(staff_member: Callable[..., User]) -> str:
    """Return the email of bondi's receptionist."""
    return staff_member("bondi").email


@pytest.fixture
def user(staff_member: Callable[..., User]) -> User:
    """A receptionist of bondi."""
    return staff_member("bondi")


@pytest.fixture
def app_user(user: User) -> User:
    """The same receptionist, with an authenticator app."""
    add_app("bondi", user)
    return user


@pytest.fixture
def here(user: User, sign_in: Callable[..., Client]) -> Client:
    """The receptionist's browser, signed in."""
    return sign_in("bondi")


@pytest.fixture
def twins(bondi: Clinic, harbour: Clinic) -> str:
    """The email address of a user at both clinics, with the same id and password hash."""
    email, password = "twin@clinic.example", make_password(PASSWORD)
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            User.objects.create(pk=1001, email=email, name="Robin Twin", role="reception", password=password)
    return email


@pytest.fixture
def run_concurrently(db: None) -> Iterator[Callable[..., list[Any]]]:
    """`run_concurrently(function, …)`: call each in bondi's schema, in a thread with its own connection, all at once.

    Returns their results, or the refusals they raise. They really commit: the test deletes what they leave in the same
    way. This fixture deletes their audit events.
    """

    def run(*functions: Callable[[], Any]) -> list[Any]:
        ready = threading.Barrier(len(functions))

        def call(function: Callable[[], Any]) -> Any:
            try:
                ready.wait(5)
                with clinic_context("bondi"):
                    with connection.cursor() as cursor:
                        cursor.execute("SET lock_timeout = '5s'")
                    return function()
            except (InvitationRefused, ChangeRefused) as refused:
                return refused
            finally:
                connection.close()

        with ThreadPoolExecutor(len(functions)) as pool:
            return list(pool.map(call, functions))

    yield run
    run(_delete_events)


def _delete_events() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # disables the append-only trigger
        Event.objects.all().delete()


def field_value(page: str, name: str) -> str:
    """Return the value of the page's form field with this name."""
    found = re.search(rf'name="{name}"[^>]* value="([^"]*)"', page)
    assert found, f"no field {name} on the page"
    return found[1]


def text(answer: Any) -> str:
    return str(answer.content.decode())


def logged(label: str = "bondi") -> list[tuple[str, str, dict[str, Any]]]:
    """Return each audit event's email, action and details, oldest first."""
    with clinic_context(label):
        return list(Event.objects.order_by("pk").values_list("user_email", "action", "details"))


def audit_unavailable(*_: object, **__: object) -> None:
    """Raise what `record` raises, in its place."""
    raise AuditUnavailable
