"""The mail that tells somebody that their password or second step was changed."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client

from accounts.models import User
from accounts.tasks import send_sign_in_changed
from tenants.context import clinic_context
from tests.accounts.second_factors import Device, passkey_options
from tests.accounts.views.test_second_factors import factor_types, set_up_app
from tests.conftest import PASSWORD


@pytest.fixture
def user(staff_member: Callable[..., User]) -> User:
    return staff_member("bondi")


@pytest.fixture
def here(user: User, sign_in: Callable[..., Client]) -> Client:
    return sign_in("bondi")


def test_whoever_changes_their_second_step_is_told_by_mail(
    here: Client, user: User, eager_mail_tasks: list[dict[str, Any]], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        _, secret = set_up_app(here)
        made = Device().create(passkey_options(here, "/account/passkeys/ask"))
        here.post("/account/passkeys/add", {"name": "Blue", "credential": made})
        here.post("/account/recovery-codes/new")
        here.post("/account/app/remove")
        with clinic_context("bondi"):
            passkey = Authenticator.objects.get(type="webauthn")
            codes = [Authenticator.objects.get(type="recovery_codes").data["seed"]]
        here.post(f"/account/passkeys/{passkey.pk}/remove")
    assert [set(message) for message in eager_mail_tasks] == [{"schema_name", "event_id"}] * 5
    here.get("/account/")  # the worker's turn
    told = sorted(sent.body.partition(", probably you, ")[2].partition(" at Bondi Physio")[0] for sent in mail.outbox)
    assert told == [
        "made new recovery codes for your sign-in",
        "removed a passkey from your sign-in",
        "removed the authenticator app from your sign-in",
        "set up a passkey for your sign-in",
        "set up an authenticator app for your sign-in",
    ]
    for sent in mail.outbox:
        assert sent.to == [user.email]
        assert "Bondi Physio" in sent.subject
        assert "http://bondi.localhost:8000/account/" in sent.body
        assert not any(word in sent.body for word in (secret, "Blue", *codes))


def test_whoever_gets_a_new_password_is_told_by_mail(
    here: Client, user: User, eager_mail_tasks: list[dict[str, Any]], django_capture_on_commit_callbacks: Any
) -> None:
    new = {"oldpassword": PASSWORD, "password1": "a new horse 43", "password2": "a new horse 43"}
    with django_capture_on_commit_callbacks(execute=True):
        here.post("/password/change/", new)
    assert [set(message) for message in eager_mail_tasks] == [{"schema_name", "event_id"}]
    here.get("/account/")  # the worker's turn
    (sent,) = mail.outbox
    assert sent.to == [user.email]
    assert "chose a new password for your sign-in at Bondi Physio" in sent.body
    assert "Forgot your password?" in sent.body
    assert "horse" not in sent.body


def test_a_broker_that_is_away_undoes_no_second_step(
    here: Client, user: User, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def away(**_: Any) -> None:
        raise OSError

    monkeypatch.setattr(send_sign_in_changed, "apply_async", lambda *_: away())
    with django_capture_on_commit_callbacks(execute=True):
        done, _ = set_up_app(here)
    assert done["Location"] == "/account/recovery-codes"
    assert factor_types(user) == ["recovery_codes", "totp"]


def test_a_notice_for_a_clinic_that_is_gone_sends_nothing(bondi: Any) -> None:
    send_sign_in_changed(schema_name="clinic_0000000000000000", event_id=1)
    assert mail.outbox == []
