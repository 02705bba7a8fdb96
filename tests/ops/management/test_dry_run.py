"""`--dry-run` of the actions that ask Cliniko, seal secrets, or invite and reset users."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.mail import EmailMessage
from django.core.management import call_command
from pytest_django import Settings

from accounts.models import Invitation, OpenSession, User
from audit.models import Event
from sync.models import Connection, Cursor, Patient, Reconciliation, SyncRun
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.accounts.second_factors import add_app
from tests.cliniko_sandbox import Sandbox

DryRun = Callable[..., Any]
WRITTEN_BY_A_SYNC = (Connection, Cursor, Reconciliation, SyncRun, Patient, Event)


@pytest.fixture
def dry_run(run_clinic: Callable[..., Any]) -> DryRun:
    """`dry_run("invite", "bondi", …)` returns the JSON output of a dry run."""
    return lambda *words, stdin="": run_clinic(*words, "--dry-run", stdin=stdin)


def test_set_key_tests_the_key_and_does_not_store_it(sandbox: Sandbox, dry_run: DryRun, bondi: Clinic) -> None:
    Clinic.objects.filter(pk=bondi.pk).update(state="setup")
    key = sandbox.store.key("bondi")
    result = dry_run("set-key", "bondi", "--key-stdin", stdin=key)
    assert (result["account"], result["may_read"]["patients"]) == ("Bondi Physio", True)
    with clinic_context("bondi"):
        assert not Connection.objects.exists()
        assert not Cursor.objects.exists()
        assert not Event.objects.exists()
    bondi.refresh_from_db()
    assert bondi.state == "setup"


def test_set_key_refuses_a_key_of_another_account(
    sandbox: Sandbox, dry_run: DryRun, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.connect("bondi")
    with pytest.raises(SystemExit):
        dry_run("set-key", "bondi", "--key-stdin", stdin=sandbox.store.key("harbour"))
    assert "belongs to another Cliniko account" in capsys.readouterr().err
    result = dry_run("set-key", "bondi", "--key-stdin", "--confirm-other-account", stdin=sandbox.store.key("harbour"))
    assert result["account"] == "Harbour Osteopathy"
    with clinic_context("bondi"):
        assert Connection.objects.get().account_name == "Bondi Physio"


def test_invite_creates_no_invitation(bondi: Clinic, dry_run: DryRun, mailoutbox: list[EmailMessage]) -> None:
    result = dry_run("invite", "bondi", "--email", "new@clinic.example", "--role", "clinician")
    assert result == {"clinic": "bondi", "email": "new@clinic.example", "role": "clinician", "invite_url": ""}
    with clinic_context("bondi"):
        assert not Invitation.objects.exists()
        assert not Event.objects.exists()
    assert mailoutbox == []


def test_reset_second_factor_removes_nothing(
    staff_member: Callable[..., User], dry_run: DryRun, mailoutbox: list[EmailMessage]
) -> None:
    owner = staff_member("bondi", "owner")
    add_app("bondi", owner)
    with clinic_context("bondi"):
        OpenSession.objects.create(user=owner, browser="Chrome")
    assert dry_run("reset-second-factor", "bondi", "--email", owner.email)["mailed"] is False
    with clinic_context("bondi"):
        assert Authenticator.objects.exists()
        assert OpenSession.objects.exists()
    assert mailoutbox == []


def test_list_show_and_doctor_write_nothing(
    sandbox: Sandbox, dry_run: DryRun, staff_member: Callable[..., User]
) -> None:
    sandbox.connect("bondi")
    before = list(Clinic.objects.order_by("pk").values())
    assert [row["clinic"] for row in dry_run("list")] == ["bondi", "harbour"]
    assert dry_run("show", "bondi")["key_state"] == "ok"
    checks = {each["check"]: each["light"] for each in dry_run("doctor", "bondi")["findings"]}
    assert checks["access log"] == "ok"
    assert list(Clinic.objects.order_by("pk").values()) == before
    call_command("clinic", "doctor", "bondi")
    assert Clinic.objects.get(label="bondi").audit_length == 1


def all_rows(label: str) -> dict[str, list[tuple[Any, ...]]]:
    with clinic_context(label):
        return {
            model.__name__: list(model._default_manager.order_by("pk").values_list()) for model in WRITTEN_BY_A_SYNC
        }


def test_sync_writes_nothing_and_makes_no_requests(sandbox: Sandbox, dry_run: DryRun, settings: Settings) -> None:
    settings.CLINIKO_REQUESTS_PER_MINUTE = 200
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    sandbox.connect("bondi")
    before, requests = all_rows("bondi"), sandbox.store.count_requests()
    result = dry_run("sync", "bondi")
    assert (result["state"], result["requests_left"]) == ("importing", 189)  # eleven were made when it connected
    assert result["resources"]["patients"] == {"asks_for": "first copy", "here": 0}
    assert (all_rows("bondi"), sandbox.store.count_requests()) == (before, requests)
    sandbox.sync("bondi")
    before, requests = all_rows("bondi"), sandbox.store.count_requests()
    assert dry_run("sync", "bondi")["resources"]["patients"] == {"asks_for": "changes", "here": 1}
    assert dry_run("sync", "bondi", "--full")["resources"]["patients"]["asks_for"] == "all"
    assert (all_rows("bondi"), sandbox.store.count_requests()) == (before, requests)


def test_reseal_writes_nothing_and_lists_what_cannot_be_decrypted(
    sandbox: Sandbox, dry_run: DryRun, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.connect("bondi")
    before = all_rows("bondi")
    former, new = settings.SEALING_KEYS, "the-new-sealing-key-" * 2
    settings.SEALING_KEYS = [new, *former]
    assert dry_run("reseal") == dry_run("reseal")
    assert all_rows("bondi") == before
    settings.SEALING_KEYS = [new]
    with pytest.raises(SystemExit):
        dry_run("reseal")
    output = capsys.readouterr()
    assert json.loads(output.out)["keys_unopened"] == ["bondi"]
    assert "keep the old SEALING_KEYS" in output.err


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("invite", "bondi", "--email", "a@b.example"), "Dry run: a@b.example would be invited as reception.\n"),
        (
            ("reseal",),
            "Dry run: 2 clinics: all that can be decrypted would be sealed with the first of SEALING_KEYS.\n",
        ),
        (("drop-former", "bondi"), "Dry run: There was nothing to drop.\n"),
    ],
)
def test_the_output_says_that_it_is_a_dry_run(
    bondi: Clinic, harbour: Clinic, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], output: str
) -> None:
    call_command("clinic", *words, "--dry-run")
    assert capsys.readouterr().out == output
