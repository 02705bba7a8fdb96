"""Owners are told by mail what only they can mend, once."""

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


def work(label: str) -> None:
    schema_name = Clinic.objects.get(label=label).schema_name
    with clinic_context(label):
        mark_all_due()
    sync_clinic(schema_name=schema_name)


def test_the_owners_of_the_clinic_are_told_once_and_nobody_else(
    revoked: Sandbox, mailoutbox: list[EmailMessage]
) -> None:
    for _ in range(3):
        work("bondi")
        work("harbour")
    (mail,) = mailoutbox
    assert mail.to == ["owner@clinic.example"]
    assert "Bondi Physio" in mail.subject
    assert "http://bondi.localhost:8000/settings/key\n" in str(mail.body)
    assert Clinic.objects.get(label="bondi").sync_state == Connection.State.KEY_INVALID
    assert Clinic.objects.get(label="harbour").sync_state == Connection.State.OK


def test_a_key_that_is_refused_while_copying_is_paused_is_told_of_too(
    revoked: Sandbox, mailoutbox: list[EmailMessage]
) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(state=Connection.State.PAUSED)
    work("bondi")
    assert mailoutbox == []
    with clinic_context("bondi"):
        refresh_patient("42")
    work("bondi")
    work("bondi")
    (mail,) = mailoutbox
    assert "Bondi Physio" in mail.subject


def test_the_mail_shows_four_characters_of_the_key(revoked: Sandbox, mailoutbox: list[EmailMessage]) -> None:
    key = revoked.store.issue_key("bondi")
    revoked.connect("bondi")
    revoked.store.revoke_key(key)
    work("bondi")
    body = key.rpartition("-")[0]
    assert f"…{body[-4:]}" in str(mailoutbox[0].body)
    assert body[:-4] not in str(mailoutbox[0].body)


def test_each_key_that_is_refused_is_told_of(revoked: Sandbox, mailoutbox: list[EmailMessage]) -> None:
    work("bondi")
    revoked.store.issue_key("bondi")
    revoked.connect("bondi")
    work("bondi")
    revoked.store.revoke_key(revoked.store.key("bondi"))
    work("bondi")
    assert len(mailoutbox) == 2


def test_a_mail_server_that_fails_is_tried_again(
    revoked: Sandbox, mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: EmailMessage) -> int:
        raise SMTPServerDisconnected("gone")

    with monkeypatch.context() as patched:
        patched.setattr(EmailMessage, "send", fail)
        work("bondi")
    assert not mailoutbox
    work("bondi")
    work("bondi")
    assert len(mailoutbox) == 1
