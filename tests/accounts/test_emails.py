"""Emails about changes to a user's password or second factors."""

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


def test_changing_second_factors_sends_emails(
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
    here.get("/account/")  # when it is answered, the worker sends
    changes = sorted(
        sent.body.partition(", probably you, ")[2].partition(" at Bondi Physio")[0] for sent in mail.outbox
    )
    assert changes == [
        "added a passkey to your sign-in",
        "added an authenticator app to your sign-in",
        "created new recovery codes for your sign-in",
        "removed a passkey from your sign-in",
        "removed the authenticator app from your sign-in",
    ]
    for sent in mail.outbox:
        assert sent.to == [user.email]
        assert "Bondi Physio" in sent.subject
        assert "http://bondi.localhost:8000/account/" in sent.body
        assert not any(word in sent.body for word in (secret, "Blue", *codes))


def test_changing_the_password_sends_an_email(
    here: Client, user: User, eager_mail_tasks: list[dict[str, Any]], django_capture_on_commit_callbacks: Any
) -> None:
    new = {"oldpassword": PASSWORD, "password1": "a new horse 43", "password2": "a new horse 43"}
    with django_capture_on_commit_callbacks(execute=True):
        here.post("/password/change/", new)
    assert [set(message) for message in eager_mail_tasks] == [{"schema_name", "event_id"}]
    here.get("/account/")  # when it is answered, the worker sends
    (sent,) = mail.outbox
    assert sent.to == [user.email]
    assert "changed your password at Bondi Physio" in sent.body
    assert "Forgot your password?" in sent.body
    assert "horse" not in sent.body


def test_an_unreachable_broker_does_not_undo_the_change(
    here: Client, user: User, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def fail(**_: Any) -> None:
        raise OSError

    monkeypatch.setattr(send_sign_in_changed, "apply_async", lambda *_: fail())
    with django_capture_on_commit_callbacks(execute=True):
        done, _ = set_up_app(here)
    assert done["Location"] == "/account/recovery-codes"
    assert factor_types(user) == ["recovery_codes", "totp"]


def test_a_task_for_a_purged_clinic_sends_nothing(bondi: Any) -> None:
    send_sign_in_changed(schema_name="clinic_0000000000000000", event_id=1)
    assert mail.outbox == []
