"""Reading who has an account in the clinic's Cliniko."""

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


def asked(label: str = "bondi") -> ClinikoUsers:
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
    users = asked().users
    assert ClinikoUser("Kim Vale", "kim@bondi.example", "receptionist", is_active=True) in users
    assert ClinikoUser("Kim Vale", "", "receptionist", is_active=False) in users
    assert len(users) == len(sandbox.store.all("bondi", "users"))
    assert not any("harbour" in user.email for user in users)


def test_a_list_of_several_pages_is_read_to_its_end(connected: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = connected("bondi")
    monkeypatch.setattr(client, "PER_PAGE", 2)
    assert len(asked().users) == len(sandbox.store.all("bondi", "users")) > 4


def test_half_a_list_is_none(connected: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    connected("bondi")
    monkeypatch.setattr(client, "PER_PAGE", 2)
    monkeypatch.setattr("sync.cliniko_users.LAST_PAGE_AFTER", -1)
    assert asked() == ClinikoUsers(Outcome.UNREACHABLE)


def test_a_key_that_may_not_see_users_says_so(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.forbid(sandbox.store.key("bondi"), "users")
    assert asked() == ClinikoUsers(Outcome.KEY_FORBIDDEN)
    with clinic_context("bondi"):
        assert Connection.objects.get().state == "ok"


def test_a_key_that_cliniko_no_longer_takes_is_remembered(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.revoke_key(sandbox.store.key("bondi"))
    assert asked().outcome == Outcome.KEY_INVALID
    with clinic_context("bondi"):
        assert Connection.objects.get().state == "key_invalid"


def test_what_launches_are_reserved_is_left_to_them(connected: Connect, settings: Settings) -> None:
    connected("bondi")
    settings.CLINIKO_REQUESTS_PER_MINUTE, settings.CLINIKO_REQUESTS_RESERVED = 2, 2
    assert asked() == ClinikoUsers(Outcome.RATE_LIMITED)
    with clinic_context("bondi"):
        assert Connection.objects.get().state == "ok"


def test_a_limit_that_has_not_reset_is_kept(connected: Connect) -> None:
    connected("bondi")
    with clinic_context("bondi"):
        Connection.objects.update(state="rate_limited", resume_at=timezone.now() + timedelta(minutes=1))
    assert asked() == ClinikoUsers(Outcome.RATE_LIMITED)


def test_without_a_key_or_an_answer_there_is_nobody(connected: Connect, settings: Settings) -> None:
    assert asked("harbour") == ClinikoUsers(Outcome.NO_KEY)
    connected("bondi")
    settings.CLINIKO_API_URL = "http://127.0.0.1:9"
    assert asked() == ClinikoUsers(Outcome.UNREACHABLE)
