"""What ops try before they do it: `--dry-run` of the actions that ask Cliniko, seal keys, invite people or reset
them."""

import json
import sys
from collections.abc import Callable
from io import StringIO
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

Tried = Callable[..., dict[str, Any]]
WRITTEN_BY_A_SYNC = (Connection, Cursor, Reconciliation, SyncRun, Patient, Event)


@pytest.fixture
def tried(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tried:
    """`tried("invite", "bondi", …)`: the JSON answer of a dry run."""

    def answer(*words: str, stdin: str = "") -> dict[str, Any]:
        monkeypatch.setattr(sys, "stdin", StringIO(stdin))
        capsys.readouterr()
        call_command("clinic", *words, "--dry-run", "--json")
        said: dict[str, Any] = json.loads(capsys.readouterr().out)
        return said

    return answer


def test_a_key_is_asked_about_at_cliniko_and_not_stored(sandbox: Sandbox, tried: Tried, bondi: Clinic) -> None:
    Clinic.objects.filter(pk=bondi.pk).update(state="setup")
    key = sandbox.store.key("bondi")
    told = tried("set-key", "bondi", "--key-stdin", stdin=key)
    assert (told["account"], told["may_read"]["patients"]) == ("Bondi Physio", True)
    with clinic_context("bondi"):
        assert not Connection.objects.exists()
        assert not Cursor.objects.exists()
        assert not Event.objects.exists()
    bondi.refresh_from_db()
    assert bondi.state == "setup"


def test_a_key_of_another_account_is_refused_as_it_would_be(
    sandbox: Sandbox, tried: Tried, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.connect("bondi")
    with pytest.raises(SystemExit):
        tried("set-key", "bondi", "--key-stdin", stdin=sandbox.store.key("harbour"))
    assert "belongs to another Cliniko account" in capsys.readouterr().err
    told = tried("set-key", "bondi", "--key-stdin", "--confirm-other-account", stdin=sandbox.store.key("harbour"))
    assert told["account"] == "Harbour Osteopathy"
    with clinic_context("bondi"):
        assert Connection.objects.get().account_name == "Bondi Physio"


def test_nobody_is_invited(bondi: Clinic, tried: Tried, mailoutbox: list[EmailMessage]) -> None:
    told = tried("invite", "bondi", "--email", "new@clinic.example", "--role", "clinician")
    assert told == {"clinic": "bondi", "email": "new@clinic.example", "role": "clinician", "invite_url": ""}
    with clinic_context("bondi"):
        assert not Invitation.objects.exists()
        assert not Event.objects.exists()
    assert mailoutbox == []


def test_no_second_step_is_reset(
    staff_member: Callable[..., User], tried: Tried, mailoutbox: list[EmailMessage]
) -> None:
    owner = staff_member("bondi", "owner")
    add_app("bondi", owner)
    with clinic_context("bondi"):
        OpenSession.objects.create(user=owner, browser="Chrome")
    assert tried("reset-second-factor", "bondi", "--email", owner.email)["mailed"] is False
    with clinic_context("bondi"):
        assert Authenticator.objects.exists()
        assert OpenSession.objects.exists()
    assert mailoutbox == []


def test_looking_notes_nothing(sandbox: Sandbox, tried: Tried, staff_member: Callable[..., User]) -> None:
    sandbox.connect("bondi")
    before = list(Clinic.objects.order_by("pk").values())
    assert [row["clinic"] for row in tried("list")] == ["bondi", "harbour"]  # type: ignore[index]
    assert tried("show", "bondi")["key_state"] == "ok"
    checks = {each["check"]: each["light"] for each in tried("doctor", "bondi")["findings"]}
    assert checks["access log"] == "ok"
    assert list(Clinic.objects.order_by("pk").values()) == before
    call_command("clinic", "doctor", "bondi")
    assert Clinic.objects.get(label="bondi").audit_length == 1


def everything(label: str) -> dict[str, list[tuple[Any, ...]]]:
    with clinic_context(label):
        return {
            model.__name__: list(model._default_manager.order_by("pk").values_list()) for model in WRITTEN_BY_A_SYNC
        }


def test_nothing_is_synced_and_cliniko_is_not_asked(sandbox: Sandbox, tried: Tried, settings: Settings) -> None:
    settings.CLINIKO_REQUESTS_PER_MINUTE = 200
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    sandbox.connect("bondi")
    before, asked = everything("bondi"), sandbox.store.count_requests()
    told = tried("sync", "bondi")
    assert (told["state"], told["requests_left"]) == ("importing", 189)  # eleven were made when it connected
    assert told["resources"]["patients"] == {"asks_for": "first copy", "here": 0}
    assert (everything("bondi"), sandbox.store.count_requests()) == (before, asked)
    sandbox.sync("bondi")
    before, asked = everything("bondi"), sandbox.store.count_requests()
    assert tried("sync", "bondi")["resources"]["patients"] == {"asks_for": "changes", "here": 1}
    assert tried("sync", "bondi", "--full")["resources"]["patients"]["asks_for"] == "all"
    assert (everything("bondi"), sandbox.store.count_requests()) == (before, asked)


def test_nothing_is_sealed_again_and_what_does_not_open_is_named(
    sandbox: Sandbox, tried: Tried, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.connect("bondi")
    before = everything("bondi")
    former, new = settings.SEALING_KEYS, "the-new-sealing-key-" * 2
    settings.SEALING_KEYS = [new, *former]
    assert tried("reseal") == tried("reseal")
    assert everything("bondi") == before
    settings.SEALING_KEYS = [new]
    with pytest.raises(SystemExit):
        tried("reseal")
    said = capsys.readouterr()
    assert json.loads(said.out)["keys_unopened"] == ["bondi"]
    assert "keep the old SEALING_KEYS" in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("invite", "bondi", "--email", "a@b.example"), "Dry run: a@b.example would be invited as reception.\n"),
        (
            ("reseal",),
            "Dry run: 2 clinics: all that can be decrypted would be sealed with the first of SEALING_KEYS.\n",
        ),
        (("drop-former", "bondi"), "Dry run: There was nothing to drop.\n"),
    ],
)
def test_the_answer_says_that_it_was_only_tried(
    bondi: Clinic, harbour: Clinic, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    call_command("clinic", *words, "--dry-run")
    assert capsys.readouterr().out == said
