"""What the clinic's log says of sign-ins: every change of how somebody signs in, and nothing that was not done."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from accounts.models import User
from audit.log import NotRecorded
from audit.models import Event
from tenants.context import clinic_context
from tests.accounts.second_factors import Device, ask, give_app
from tests.accounts.test_own_sign_in import set_up_app
from tests.accounts.test_security import reset

SignIn = Callable[..., Client]
Staff = Callable[..., User]


def logged(label: str = "bondi") -> list[tuple[str, str, dict[str, Any]]]:
    with clinic_context(label):
        return list(Event.objects.order_by("pk").values_list("user_email", "action", "details"))


def test_every_change_of_how_somebody_signs_in_is_one_line_of_the_log(sign_in: SignIn, staff_of: Staff) -> None:
    browser, user = sign_in("bondi"), staff_of("bondi")
    set_up_app(browser)
    browser.post("/account/recovery-codes/new")
    browser.post("/account/app/remove")
    made = {"credential": Device().create(ask(browser, "/account/passkeys/ask"))}
    browser.post("/account/passkeys/add", made)
    owner = sign_in("bondi", "owner")
    owner.post(f"/settings/security/people/{user.pk}/end-sessions")
    owner.post(f"/settings/security/people/{user.pk}/end-sessions")  # nothing is left to end
    reset(owner, user)
    owner.post("/settings/security", {"require_second_factor_from": "", "idle_minutes": "10", "absolute_hours": "12"})
    mine, boss = user.email, "owner@clinic.example"
    assert logged() == [
        (mine, "second_factor_added", {"kind": "authenticator app"}),
        (mine, "second_factor_added", {"kind": "recovery codes"}),
        (mine, "second_factor_removed", {"kind": "authenticator app"}),
        (mine, "second_factor_added", {"kind": "passkey"}),
        (boss, "sessions_ended", {"whom": mine, "sessions": 1}),
        (boss, "second_factor_reset", {"whom": mine}),
        (boss, "settings_changed", {"idle_minutes": "10"}),
    ]
    assert logged("harbour") == []


def test_what_cannot_be_logged_does_not_happen(
    sign_in: SignIn, staff_of: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise NotRecorded

    browser, user = sign_in("bondi"), staff_of("bondi")
    give_app("bondi", user)
    browser.raise_request_exception = False
    monkeypatch.setattr("accounts.factor_views.record", fail)
    assert browser.post("/account/app/remove").status_code == 500
    with clinic_context("bondi"):
        assert Authenticator.objects.count() == 1
