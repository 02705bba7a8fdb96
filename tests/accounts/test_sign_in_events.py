"""Audit events of sign-in changes: one for each change, none for what didn't happen."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from accounts import reset_links
from accounts.models import User
from tenants.context import clinic_context
from tests.accounts.conftest import audit_unavailable, logged
from tests.accounts.second_factors import Device, add_app, passkey_options
from tests.accounts.views.test_policy import reset
from tests.accounts.views.test_second_factors import set_up_app
from tests.conftest import PASSWORD

SignIn = Callable[..., Client]
Staff = Callable[..., User]


def test_every_sign_in_change_is_one_audit_event(sign_in: SignIn, staff_member: Staff) -> None:
    browser, user = sign_in("bondi"), staff_member("bondi")
    set_up_app(browser)
    browser.post("/account/recovery-codes/new")
    browser.post("/account/app/remove")
    made = {"credential": Device().create(passkey_options(browser, "/account/passkeys/ask"))}
    browser.post("/account/passkeys/add", made)
    owner = sign_in("bondi", "owner")
    owner.post(f"/settings/security/people/{user.pk}/end-sessions")
    owner.post(f"/settings/security/people/{user.pk}/end-sessions")  # none are left
    reset(owner, user)
    owner.post("/settings/security", {"require_second_factor_from": "", "idle_minutes": "10", "absolute_hours": "12"})
    email, owner_email = user.email, "owner@clinic.example"
    assert logged() == [
        (email, "second_factor_added", {"kind": "authenticator app"}),
        (email, "second_factor_added", {"kind": "recovery codes"}),
        (email, "second_factor_removed", {"kind": "authenticator app"}),
        (email, "second_factor_added", {"kind": "passkey"}),
        (owner_email, "sessions_ended", {"person": email, "sessions": 1}),
        (owner_email, "second_factor_reset", {"person": email}),
        (owner_email, "settings_changed", {"idle_minutes": "10"}),
    ]
    assert logged("harbour") == []


def test_a_change_that_cannot_be_logged_is_rolled_back(
    sign_in: SignIn, staff_member: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, user = sign_in("bondi"), staff_member("bondi")
    add_app("bondi", user)
    monkeypatch.setattr("accounts.sign_in_events.record", audit_unavailable)
    assert browser.post("/account/app/remove").status_code == 503
    with clinic_context("bondi"):
        assert Authenticator.objects.count() == 1


NEW_PASSWORD = {"password1": "a new horse 43", "password2": "a new horse 43"}


def reset_password(browser: Client, user: User) -> Any:
    """Choose a new password with a reset link."""
    with clinic_context("bondi"):
        path = urlsplit(reset_links.create(User.objects.get(pk=user.pk))).path
    return browser.post(browser.get(path)["Location"], NEW_PASSWORD)


def test_every_new_password_is_an_audit_event(sign_in: SignIn, staff_member: Staff, clinic_client: SignIn) -> None:
    browser, user = sign_in("bondi"), staff_member("bondi")
    browser.post("/password/change/", NEW_PASSWORD | {"oldpassword": "not the old one"})
    assert browser.post("/password/change/", NEW_PASSWORD | {"oldpassword": PASSWORD}).status_code == 302
    assert reset_password(clinic_client("bondi"), user).status_code == 302
    assert logged() == [
        (user.email, "password_changed", {"kind": "password"}),
        (user.email, "password_changed", {"kind": "password", "via": "reset link"}),
    ]
    assert logged("harbour") == []


@pytest.mark.parametrize("way", ["form", "link"])
def test_a_password_change_that_cannot_be_logged_is_rolled_back(
    sign_in: SignIn, staff_member: Staff, clinic_client: SignIn, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    browser, user = sign_in("bondi"), staff_member("bondi")
    monkeypatch.setattr("accounts.sign_in_events.record", audit_unavailable)
    if way == "form":
        answer = browser.post("/password/change/", NEW_PASSWORD | {"oldpassword": PASSWORD})
    else:
        answer = reset_password(clinic_client("bondi"), user)
    assert answer.status_code == 503
    with clinic_context("bondi"):
        assert User.objects.get(pk=user.pk).check_password(PASSWORD)
