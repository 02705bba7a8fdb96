"""What the clinic's log says of sign-ins: every change of how somebody signs in, and nothing that was not done."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from accounts import reset_links
from accounts.models import User
from audit.log import AuditUnavailable
from audit.models import Event
from tenants.context import clinic_context
from tests.accounts.second_factors import Device, passkey_options, add_app
from tests.accounts.views.test_policy import reset
from tests.accounts.views.test_second_factors import set_up_app
from tests.conftest import PASSWORD

SignIn = Callable[..., Client]
Staff = Callable[..., User]


def logged(label: str = "bondi") -> list[tuple[str, str, dict[str, Any]]]:
    with clinic_context(label):
        return list(Event.objects.order_by("pk").values_list("user_email", "action", "details"))


def test_every_change_of_how_somebody_signs_in_is_one_line_of_the_log(sign_in: SignIn, staff_member: Staff) -> None:
    browser, user = sign_in("bondi"), staff_member("bondi")
    set_up_app(browser)
    browser.post("/account/recovery-codes/new")
    browser.post("/account/app/remove")
    made = {"credential": Device().create(passkey_options(browser, "/account/passkeys/ask"))}
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
    sign_in: SignIn, staff_member: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AuditUnavailable

    browser, user = sign_in("bondi"), staff_member("bondi")
    add_app("bondi", user)
    monkeypatch.setattr("accounts.sign_in_events.record", fail)
    assert browser.post("/account/app/remove").status_code == 503
    with clinic_context("bondi"):
        assert Authenticator.objects.count() == 1


NEW = {"password1": "a new horse 43", "password2": "a new horse 43"}


def by_link(browser: Client, user: User) -> Any:
    """Choose a new password by a link, as a mail or ops give it."""
    with clinic_context("bondi"):
        path = urlsplit(reset_links.create(User.objects.get(pk=user.pk))).path
    return browser.post(browser.get(path)["Location"], NEW)


def test_a_new_password_is_a_line_of_the_log_however_it_was_chosen(
    sign_in: SignIn, staff_member: Staff, clinic_client: SignIn
) -> None:
    browser, user = sign_in("bondi"), staff_member("bondi")
    browser.post("/password/change/", NEW | {"oldpassword": "not the old one"})
    assert browser.post("/password/change/", NEW | {"oldpassword": PASSWORD}).status_code == 302
    assert by_link(clinic_client("bondi"), user).status_code == 302
    assert logged() == [
        (user.email, "password_changed", {"kind": "password"}),
        (user.email, "password_changed", {"kind": "password", "through": "a link"}),
    ]
    assert logged("harbour") == []


@pytest.mark.parametrize("way", ["form", "link"])
def test_a_password_that_cannot_be_logged_stays_as_it_was(
    sign_in: SignIn, staff_member: Staff, clinic_client: SignIn, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AuditUnavailable

    browser, user = sign_in("bondi"), staff_member("bondi")
    monkeypatch.setattr("accounts.sign_in_events.record", fail)
    if way == "form":
        answer = browser.post("/password/change/", NEW | {"oldpassword": PASSWORD})
    else:
        answer = by_link(clinic_client("bondi"), user)
    assert answer.status_code == 503
    with clinic_context("bondi"):
        assert User.objects.get(pk=user.pk).check_password(PASSWORD)
