"""Reading the users of the clinic's Cliniko account."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from sync.cliniko import client
from sync.cliniko_users import ClinikoUser, ClinikoUsers, cliniko_users
from sync.models import Connection
from sync.refresh import Outcome
from tenants.context import clinic_context
from tests.cliniko_sandbox import Sandbox

Connect = Callable[[str], Sandbox]


def read_users(label: str = "bondi") -> ClinikoUsers:
    with clinic_context(label):
        return cliniko_users()


def add_user(
    sandbox: Sandbox, email: str | None, *, first: str = "Kim", active: bool = True, label: str = "bondi"
) -> str:
    body = {"first_name": first, "last_name": "Vale", "email": email, "role": "receptionist", "user_active": active}
    return sandbox.store.add(label, "users", body)


def test_all_users_are_read_with_the_inactive_ones(connected: Connect) -> None:
    sandbox = connected("bondi")
    add_user(sandbox, " Kim@Bondi.example ")
    add_user(sandbox, None, active=False)
    add_user(sandbox, "lee@harbour.example", label="harbour")
    users = read_users().users
    assert ClinikoUser("Kim Vale", "kim@bondi.example", "receptionist", is_active=True) in users
    assert ClinikoUser("Kim Vale", "", "receptionist", is_active=False) in users
    assert len(users) == len(sandbox.store.all("bondi", "users"))
    assert not any("harbour" in user.email for user in users)


def test_a_list_of_several_pages_is_read_to_its_end(connected: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = connected("bondi")
    monkeypatch.setattr(client, "PER_PAGE", 2)
    assert len(read_users().users) == len(sandbox.store.all("bondi", "users")) > 4


def test_a_partial_list_is_never_returned(connected: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    connected("bondi")
    monkeypatch.setattr(client, "PER_PAGE", 2)
    monkeypatch.setattr("sync.cliniko_users.LAST_PAGE_AFTER", -1)
    assert read_users() == ClinikoUsers(Outcome.UNREACHABLE)


def test_a_key_that_cannot_read_users_has_its_own_outcome(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.forbid(sandbox.store.key("bondi"), "users")
    assert read_users() == ClinikoUsers(Outcome.KEY_FORBIDDEN)
    with clinic_context("bondi"):
        assert Connection.objects.get().state == "ok"


def test_a_key_that_cliniko_no_longer_accepts_is_recorded(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.revoke_key(sandbox.store.key("bondi"))
    assert read_users().outcome == Outcome.KEY_INVALID
    with clinic_context("bondi"):
        assert Connection.objects.get().state == "key_invalid"


def test_requests_reserved_for_launches_are_not_used(connected: Connect, settings: Settings) -> None:
    connected("bondi")
    settings.CLINIKO_REQUESTS_PER_MINUTE, settings.CLINIKO_REQUESTS_RESERVED = 2, 2
    assert read_users() == ClinikoUsers(Outcome.RATE_LIMITED)
    with clinic_context("bondi"):
        assert Connection.objects.get().state == "ok"


def test_no_request_is_made_before_a_rate_limit_resets(connected: Connect) -> None:
    connected("bondi")
    with clinic_context("bondi"):
        Connection.objects.update(state="rate_limited", resume_at=timezone.now() + timedelta(minutes=1))
    assert read_users() == ClinikoUsers(Outcome.RATE_LIMITED)


def test_without_a_key_or_an_answer_no_users_are_returned(connected: Connect, settings: Settings) -> None:
    assert read_users("harbour") == ClinikoUsers(Outcome.NO_KEY)
    connected("bondi")
    settings.CLINIKO_API_URL = "http://127.0.0.1:9"
    assert read_users() == ClinikoUsers(Outcome.UNREACHABLE)
