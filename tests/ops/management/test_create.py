"""`manage.py clinic create`."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from accounts import invitations
from accounts.models import Invitation, User
from audit.models import Event
from ops import onboarding
from saas.environment import Environment
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.cliniko_sandbox import Sandbox
from tests.ops.database import clinic_schemas

RunClinic = Callable[..., Any]
Refusal = Callable[..., str]


def test_create_creates_a_clinic_and_prints_its_urls(
    db: None, run_clinic: RunClinic, mailoutbox: list[object], settings: Settings
) -> None:
    created = run_clinic("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")
    assert set(created) == {"clinic", "url", "launch_url", "invite_url"}
    assert created["launch_url"] == "http://coogee.localhost:8000/patients"
    assert str(created["invite_url"]).startswith("http://coogee.localhost:8000/invite/")
    assert len(mailoutbox) == 1
    with clinic_context("coogee"):
        assert Invitation.objects.get().role == "owner"


def test_repeating_create_changes_nothing_and_sends_no_email(
    db: None, run_clinic: RunClinic, mailoutbox: list[object]
) -> None:
    created = run_clinic("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")
    before = clinic_schemas()
    for words in (["--owner", "Owner@Coogee.example"], ["--owner", "owner@coogee.example", "--dry-run"]):
        again = run_clinic("create", "coogee", "--name", " Coogee Physio ", *words)
        assert again == created | {"invite_url": "", "changed": False}
    assert clinic_schemas() == before
    assert len(mailoutbox) == 1
    with clinic_context("coogee"):
        assert Invitation.objects.count() == Event.objects.count() == 1


def test_repeating_create_recognises_an_owner_who_has_joined(db: None, run_clinic: RunClinic) -> None:
    create = ("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")
    run_clinic(*create)
    with clinic_context("coogee"):
        Invitation.objects.all().delete()
        User.objects.create_user("owner@coogee.example", "correct horse 42", name="Kim", role="owner")
    assert run_clinic(*create)["changed"] is False


def test_the_command_suggested_by_a_repeated_create_invites_the_owner(
    db: None, run_clinic: RunClinic, capsys: pytest.CaptureFixture[str], refusal: Refusal
) -> None:
    create = ("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")
    run_clinic(*create)
    call_command("clinic", *create)
    (suggested,) = re.findall(r"`clinic (.+)`", capsys.readouterr().out)
    run_clinic(*suggested.split())
    with clinic_context("coogee"):
        pending = Invitation.objects.get(accepted_at=None, revoked_at=None)
        assert (pending.email, pending.role) == ("owner@coogee.example", "owner")
        Invitation.objects.update(revoked_at=timezone.now())
    assert "taken" in refusal(*create)


def test_repeating_create_recognises_a_clinic_renamed_by_cliniko(
    sandbox: Sandbox, run_clinic: RunClinic, refusal: Refusal
) -> None:
    create = ("create", "coogee", "--name", "Coogee", "--owner", "owner@coogee.example")
    run_clinic(*create)
    run_clinic("set-key", "coogee", "--key-stdin", stdin=sandbox.store.key("bondi"))
    assert Clinic.objects.get(label="coogee").name == "Bondi Physio"
    assert run_clinic(*create)["changed"] is False
    assert "taken" in refusal(*create[:4], "--owner", "someone@else.example")


@pytest.mark.parametrize(
    "other",
    [
        ["--name", "Coogee Dental", "--owner", "owner@coogee.example"],
        ["--name", "Coogee Physio", "--owner", "someone@else.example"],
        ["--name", "Coogee Physio", "--owner", "reception@coogee.example"],
    ],
)
def test_create_refuses_a_label_that_another_clinic_has(
    db: None, run_clinic: RunClinic, refusal: Refusal, other: list[str]
) -> None:
    run_clinic("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")
    run_clinic("invite", "coogee", "--email", "reception@coogee.example")
    assert "taken" in refusal("create", "coogee", *other)
    with clinic_context("coogee"):
        assert set(Invitation.objects.values_list("email", flat=True)) == {
            "owner@coogee.example",
            "reception@coogee.example",
        }


def test_create_refuses_a_former_label(db: None, run_clinic: RunClinic, refusal: Refusal) -> None:
    create = ("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")
    run_clinic(*create)
    run_clinic("rename", "coogee", "manly")
    assert "taken" in refusal(*create)


def test_a_failed_create_leaves_nothing_and_can_be_repeated(
    db: None, run_clinic: RunClinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = clinic_schemas()
    with monkeypatch.context() as patched:
        patched.setattr(invitations, "invite", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            onboarding.create("coogee", name="Coogee", owner_email="owner@coogee.example")
    assert clinic_schemas() == before
    assert not Clinic.objects.filter(label="coogee").exists()
    run_clinic("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")


def test_a_failing_mail_server_does_not_undo_create(
    db: None, run_clinic: RunClinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.emails.send_invitation", lambda *_: (_ for _ in ()).throw(OSError("no mail server")))
    assert run_clinic("create", "coogee", "--name", "Coogee", "--owner", "owner@coogee.example")["invite_url"]


def test_an_email_printed_to_the_console_is_not_in_the_output(
    db: None, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    settings.EMAIL_BACKEND = Environment(email_url="console://").email["EMAIL_BACKEND"]
    call_command("clinic", "create", "coogee", "--name", "Coogee", "--owner", "owner@coogee.example", "--json")
    output = capsys.readouterr()
    assert json.loads(output.out)["invite_url"] in output.err


def test_create_refuses_a_long_name(db: None, refusal: Refusal) -> None:
    words = ("create", "coogee", "--owner", "owner@coogee.example", "--name")
    assert refusal(*words, "x" * 201) == "The name is longer than 200 characters.\n"
