"""Accounts stand below the rooms that own the pages: stand-ins serve those addresses."""

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
from audit.models import Event
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.conftest import PASSWORD


@pytest.fixture(autouse=True)
def stand_in_pages(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.accounts.urls"


@pytest.fixture
def csrf_client(bondi: Clinic, harbour: Clinic) -> Callable[[str], Client]:
    """Like `clinic_client`, and CSRF tokens are checked as in production."""
    return lambda label: Client(enforce_csrf_checks=True, HTTP_HOST=f"{label}.localhost")


@pytest.fixture
def twins(bondi: Clinic, harbour: Clinic) -> str:
    """Somebody at both clinics with the same id, e-mail address and password hash; returns the address."""
    email, password = "twin@clinic.example", make_password(PASSWORD)
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            User.objects.create(pk=1001, email=email, name="Robin Twin", role="reception", password=password)
    return email


@pytest.fixture
def at_once(db: None) -> Iterator[Callable[..., list[Any]]]:
    """`at_once(work, *others)`: run each in a thread with a connection of its own, all starting together at bondi.

    Returns what they return, or the refusal that they raise. They commit for real: what they leave, the test must
    delete the same way. The lines that they leave in the log are taken out here.
    """

    def run(*works: Callable[[], Any]) -> list[Any]:
        ready = threading.Barrier(len(works))

        def alone(work: Callable[[], Any]) -> Any:
            try:
                ready.wait(5)
                with clinic_context("bondi"):
                    with connection.cursor() as cursor:
                        cursor.execute("SET lock_timeout = '5s'")
                    return work()
            except (InvitationRefused, ChangeRefused) as refused:
                return refused
            finally:
                connection.close()

        with ThreadPoolExecutor(len(works)) as pool:
            return list(pool.map(alone, works))

    yield run
    run(_forget_log)


def _forget_log() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no trigger refuses
        Event.objects.all().delete()


def field_value(page: str, name: str) -> str:
    """The value of a form's field of this name, as the page gives it."""
    found = re.search(rf'name="{name}"[^>]* value="([^"]*)"', page)
    assert found, f"no field {name} on the page"
    return found[1]
