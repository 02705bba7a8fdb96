"""Owners are emailed once when Cliniko refuses the API key."""

from collections.abc import Callable
from smtplib import SMTPServerDisconnected

import pytest
from django.core.mail import EmailMessage

from accounts.models import User
from sync.models import Connection
from sync.refresh import refresh_patient
from sync.tasks import sync_clinic
from sync.walk.schedule import mark_all_due
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.cliniko_sandbox import Sandbox


@pytest.fixture
def revoked(sandbox: Sandbox, staff_member: Callable[..., User]) -> Sandbox:
    """Both clinics connected and staffed; the key of bondi was removed in Cliniko."""
    for label in ("bondi", "harbour"):
        sandbox.connect(label)
        for role in ("owner", "admin", "reception"):
            staff_member(label, role)
    sandbox.store.revoke_key(sandbox.store.key("bondi"))
    return sandbox


def run_sync(label: str) -> None:
    schema_name = Clinic.objects.get(label=label).schema_name
    with clinic_context(label):
        mark_all_due()
    sync_clinic(schema_name=schema_name)


def test_only_the_clinics_owners_are_emailed_and_only_once(revoked: Sandbox, mailoutbox: list[EmailMessage]) -> None:
    for _ in range(3):
        run_sync("bondi")
        run_sync("harbour")
    (mail,) = mailoutbox
    assert mail.to == ["owner@clinic.example"]
    assert "Bondi Physio" in mail.subject
    assert "http://bondi.localhost:8000/settings/key\n" in str(mail.body)
    assert Clinic.objects.get(label="bondi").sync_state == Connection.State.KEY_INVALID
    assert Clinic.objects.get(label="harbour").sync_state == Connection.State.OK


def test_a_key_refused_while_the_sync_is_paused_is_emailed_too(
    revoked: Sandbox, mailoutbox: list[EmailMessage]
) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(state=Connection.State.PAUSED)
    run_sync("bondi")
    assert mailoutbox == []
    with clinic_context("bondi"):
        refresh_patient("42")
    run_sync("bondi")
    run_sync("bondi")
    (mail,) = mailoutbox
    assert "Bondi Physio" in mail.subject


def test_the_email_has_only_four_characters_of_the_key(revoked: Sandbox, mailoutbox: list[EmailMessage]) -> None:
    key = revoked.store.issue_key("bondi")
    revoked.connect("bondi")
    revoked.store.revoke_key(key)
    run_sync("bondi")
    body = key.rpartition("-")[0]
    assert f"…{body[-4:]}" in str(mailoutbox[0].body)
    assert body[:-4] not in str(mailoutbox[0].body)


def test_owners_are_emailed_about_each_refused_key(revoked: Sandbox, mailoutbox: list[EmailMessage]) -> None:
    run_sync("bondi")
    revoked.store.issue_key("bondi")
    revoked.connect("bondi")
    run_sync("bondi")
    revoked.store.revoke_key(revoked.store.key("bondi"))
    run_sync("bondi")
    assert len(mailoutbox) == 2


def test_a_failed_email_is_retried(
    revoked: Sandbox, mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: EmailMessage) -> int:
        raise SMTPServerDisconnected("gone")

    with monkeypatch.context() as patched:
        patched.setattr(EmailMessage, "send", fail)
        run_sync("bondi")
    assert not mailoutbox
    run_sync("bondi")
    run_sync("bondi")
    assert len(mailoutbox) == 1
