"""`manage.py clinic …`, as ops run it: as a process, with right and with wrong input."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts import invitations
from accounts.models import Invitation, OpenSession, User
from audit.log import Action
from audit.models import Event
from ops import onboarding
from ops.management.commands.clinic import Command
from saas.environment import Environment
from sandbox.cliniko.faults.kinds import Fault
from sync.models import Connection
from tenants.context import clinic_context
from tenants.dates import in_zone
from tenants.models import Clinic, Domain
from tests.accounts.second_factors import add_app
from tests.cliniko_sandbox import Sandbox
from tests.services import ROOT

Run = Callable[..., dict[str, object]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("show", "bondi")`: the command's JSON answer."""

    def answer(*words: str, stdin: str = "") -> dict[str, object]:
        monkeypatch.setattr(sys, "stdin", StringIO(stdin))
        capsys.readouterr()
        call_command("clinic", *words, "--json")
        said: dict[str, object] = json.loads(capsys.readouterr().out)
        return said

    return answer


def schemas() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'clinic%'")
        return {row[0] for row in cursor.fetchall()}


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        call_command("clinic", *words)
    assert stopped.value.code == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_create_makes_a_clinic_and_prints_its_addresses(
    db: None, run: Run, mailoutbox: list[object], settings: Settings
) -> None:
    made = run("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")
    assert set(made) == {"clinic", "url", "launch_url", "invite_url"}
    assert made["launch_url"] == "http://coogee.localhost:8000/patients"
    assert str(made["invite_url"]).startswith("http://coogee.localhost:8000/invite/")
    assert len(mailoutbox) == 1
    with clinic_context("coogee"):
        assert Invitation.objects.get().role == "owner"


def test_create_asked_for_twice_makes_and_mails_one(db: None, run: Run, mailoutbox: list[object]) -> None:
    made = run("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")
    before = schemas()
    for words in (["--owner", "Owner@Coogee.example"], ["--owner", "owner@coogee.example", "--dry-run"]):
        again = run("create", "coogee", "--name", " Coogee Physio ", *words)
        assert again == made | {"invite_url": "", "changed": False}
    assert schemas() == before
    assert len(mailoutbox) == 1
    with clinic_context("coogee"):
        assert Invitation.objects.count() == Event.objects.count() == 1


def test_create_asked_for_again_knows_the_owner_who_has_signed_up(db: None, run: Run) -> None:
    create = ("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")
    run(*create)
    with clinic_context("coogee"):
        Invitation.objects.all().delete()
        User.objects.create_user("owner@coogee.example", "correct horse 42", name="Kim", role="owner")
    assert run(*create)["changed"] is False


def test_what_a_create_asked_for_twice_advises_makes_an_owner(
    db: None, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    create = ("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")
    run(*create)
    call_command("clinic", *create)
    (advised,) = re.findall(r"`clinic (.+)`", capsys.readouterr().out)
    run(*advised.split())
    with clinic_context("coogee"):
        pending = Invitation.objects.get(accepted_at=None, revoked_at=None)
        assert (pending.email, pending.role) == ("owner@coogee.example", "owner")
        Invitation.objects.update(revoked_at=timezone.now())
    assert "taken" in refusal(capsys, *create)


def test_create_asked_for_again_knows_the_clinic_by_the_name_that_cliniko_gave_it(
    sandbox: Sandbox, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    create = ("create", "coogee", "--name", "Coogee", "--owner", "owner@coogee.example")
    run(*create)
    run("set-key", "coogee", "--key-stdin", stdin=sandbox.store.key("bondi"))
    assert Clinic.objects.get(label="coogee").name == "Bondi Physio"
    assert run(*create)["changed"] is False
    assert "taken" in refusal(capsys, *create[:4], "--owner", "somebody@else.example")


@pytest.mark.parametrize(
    "other",
    [
        ["--name", "Coogee Dental", "--owner", "owner@coogee.example"],
        ["--name", "Coogee Physio", "--owner", "somebody@else.example"],
        ["--name", "Coogee Physio", "--owner", "reception@coogee.example"],
    ],
)
def test_create_of_another_clinic_at_a_taken_label_is_refused(
    db: None, run: Run, capsys: pytest.CaptureFixture[str], other: list[str]
) -> None:
    run("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")
    run("invite", "coogee", "--email", "reception@coogee.example")
    assert "taken" in refusal(capsys, "create", "coogee", *other)
    with clinic_context("coogee"):
        assert set(Invitation.objects.values_list("email", flat=True)) == {
            "owner@coogee.example",
            "reception@coogee.example",
        }


def test_create_at_a_label_that_a_clinic_had_before_is_refused(
    db: None, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    create = ("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")
    run(*create)
    run("rename", "coogee", "manly")
    assert "taken" in refusal(capsys, *create)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["create", "Bondi", "--name", "B", "--owner", "a@b.example"], "lowercase letters"),
        (["create", "bondi", "--name", "B", "--owner", "a@b.example"], "taken"),
        (["create", "www", "--name", "B", "--owner", "a@b.example"], "reserved"),
        (["create", "coogee", "--name", " ", "--owner", "a@b.example"], "A name is required"),
        (["create", "coogee", "--name", "C", "--owner", "nobody"], "isn't an email address"),
        (["show", "nowhere"], "no clinic 'nowhere'"),
        (["sync", "nowhere"], "no clinic 'nowhere'"),
        (["invite", "nowhere", "--email", "a@b.example"], "no clinic 'nowhere'"),
        (["invite", "bondi", "--email", "nobody"], "isn't an email address"),
        (["sync", "bondi"], "No Cliniko API key"),
        (["sync", "bondi", "--full"], "No Cliniko API key"),
        (["sync", "bondi", "--dry-run"], "No Cliniko API key"),
    ],
)
def test_wrong_input_gets_one_sentence_and_leaves_nothing(
    bondi: Clinic, harbour: Clinic, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    before = schemas()
    assert sentence in refusal(capsys, *words)
    assert schemas() == before
    assert set(Domain.objects.values_list("domain", flat=True)) == {"bondi", "harbour"}


def test_a_create_that_fails_half_way_leaves_nothing_and_can_be_run_again(
    db: None, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = schemas()
    with monkeypatch.context() as patched:
        patched.setattr(invitations, "invite", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            onboarding.create("coogee", name="Coogee", owner_email="owner@coogee.example")
    assert schemas() == before
    assert not Clinic.objects.filter(label="coogee").exists()
    run("create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")


def test_a_mail_server_that_fails_does_not_undo_a_clinic(db: None, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.emails.send_invitation", lambda *_: (_ for _ in ()).throw(OSError("no mail server")))
    assert run("create", "coogee", "--name", "Coogee", "--owner", "owner@coogee.example")["invite_url"]


def test_a_mail_that_is_printed_is_no_part_of_the_answer(
    db: None, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    settings.EMAIL_BACKEND = Environment(email_url="console://").email["EMAIL_BACKEND"]
    call_command("clinic", "create", "coogee", "--name", "Coogee", "--owner", "owner@coogee.example", "--json")
    said = capsys.readouterr()
    assert json.loads(said.out)["invite_url"] in said.err


def test_a_table_that_another_program_reads_is_cut_nowhere(
    bondi: Clinic, harbour: Clinic, capsys: pytest.CaptureFixture[str]
) -> None:
    Clinic.objects.filter(pk=bondi.pk).update(
        name="Bondi Physiotherapy and Sports Medicine by the Beach, Campbell Parade"
    )
    call_command("clinic", "list")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "Campbell Parade" in line]
    assert line.rstrip().endswith("http://bondi.localhost:8000/")


def test_list_and_show_say_how_clinics_stand(bondi: Clinic, harbour: Clinic, run: Run) -> None:
    assert [row["clinic"] for row in run("list")] == ["bondi", "harbour"]  # type: ignore[index]
    shown = run("show", "bondi")
    assert (shown["state"], shown["key_state"], shown["last_run"]) == ("active", "missing", None)


def test_list_and_show_are_plain_tables(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    sandbox.connect("bondi")
    sandbox.sync("bondi")
    Clinic.objects.filter(label="harbour").update(state="closing", closing_on="2100-03-01", key_state="invalid")
    capsys.readouterr()
    call_command("clinic", "list")
    bondi, harbour = (line.split() for line in capsys.readouterr().out.splitlines()[1:])
    assert bondi[3:5] == ["active", "ok"]
    assert harbour[3:6] == ["closing", "2100-03-01", "invalid"]
    call_command("clinic", "show", "bondi")
    shown = dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (shown["state"], shown["key state"], shown["counts: patients"], shown["closing on"]) == (
        ("active", "ok", "1", "-")
    )
    assert "(mended 0, fetched " in shown["last run: resources"]
    assert not re.search(r"[{}\[\]]|None|True", str(list(shown.values())).strip("[]"))


def test_set_key_sync_and_show(sandbox: Sandbox, run: Run, bondi: Clinic) -> None:
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    key = sandbox.store.key("bondi")
    connected = run("set-key", "bondi", "--key-stdin", stdin=key + "\n")
    assert connected["account"] == "Bondi Physio"
    synced = run("sync", "bondi")
    assert synced["state"] == "ok"
    # One request for the list, and one for the count of deleted ones that later counts are compared with.
    assert synced["resources"]["patients"] == {"fetched": 1, "written": 1, "requests": 2}  # type: ignore[index]
    again = run("sync", "bondi", "--full")
    assert again["resources"]["patients"]["written"] == 0  # type: ignore[index]
    assert again["mended"]["patients"] == 0  # type: ignore[index]
    shown = run("show", "bondi")
    assert shown["counts"]["patients"] == 1  # type: ignore[index]
    assert key not in json.dumps(shown)


@pytest.mark.parametrize("words", [(), ("--full",), ("--dry-run",)])
def test_the_key_of_a_suspended_clinic_stays_unused(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    sandbox.connect("bondi")
    Clinic.objects.filter(label="bondi").update(state="suspended")
    asked = sandbox.store.count_requests()
    assert "suspended: it doesn't sync" in refusal(capsys, "sync", "bondi", *words)
    Clinic.objects.filter(label="bondi").update(state="closing", closing_on=timezone.now().date())
    assert "bondi is closed: it doesn't sync" in refusal(capsys, "sync", "bondi", *words)
    assert sandbox.store.count_requests() == asked


@pytest.mark.parametrize(("spared", "hours"), [(0, 6), (2, 1)])  # the list itself, or its comparison alone
def test_a_full_sync_says_what_was_not_compared_and_when_that_goes_on(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], spared: int, hours: int
) -> None:
    for label in ("bondi", "harbour"):
        sandbox.connect(label)
        sandbox.sync(label)
    sandbox.store.inject_fault("bondi", Fault.FORBIDDEN, resource="medical_alerts", after=spared, times=None)
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        call_command("clinic", "sync", "bondi", "--full", "--json")
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert (stopped.value.code, answer["state"], set(answer["put_off"])) == (1, "incomplete", {"medical_alerts"})
    goes_on = datetime.fromisoformat(answer["put_off"]["medical_alerts"])
    assert timedelta(hours=hours - 0.1) < goes_on - timezone.now() <= timedelta(hours=hours)
    assert said.err.count("\n") == 1
    assert f"medical_alerts (continues {in_zone(goes_on, UTC)})" in said.err
    call_command("clinic", "sync", "harbour", "--full", "--json")
    assert json.loads(capsys.readouterr().out)["state"] == "ok"


def test_set_key_says_what_the_key_may_read_as_the_page_does(
    sandbox: Sandbox, bondi: Clinic, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = sandbox.store.key("bondi")
    sandbox.store.forbid(key, "medical_alerts")
    monkeypatch.setattr(sys, "stdin", StringIO(key))
    call_command("clinic", "set-key", "bondi", "--key-stdin")
    said = " ".join(capsys.readouterr().out.split())
    assert "Connected to Bondi Physio (au1) as " in said
    assert "Medical alerts: no, this user’s role doesn’t allow it." in said
    assert "Invoices: yes, though Sidechart doesn’t copy them." in said


def test_a_bad_key_is_refused_with_a_sentence_and_not_stored(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for typed, sentence in (("MS0xLW5vdC1hLWtleQ-au1", "doesn't accept"), ("a b", "isn't a Cliniko API key")):
        monkeypatch.setattr(sys, "stdin", StringIO(typed))
        said = refusal(capsys, "set-key", "bondi", "--key-stdin")
        assert sentence in said
        assert typed not in said
    with clinic_context("bondi"):
        assert not Connection.objects.exclude(sealed_key="").exists()


def test_ops_reset_the_second_factor_of_somebody_who_lost_phone_and_codes(
    run: Run, staff_member: Callable[..., User], mailoutbox: list[Any]
) -> None:
    owner, twin = staff_member("bondi", "owner"), staff_member("harbour", "owner")
    add_app("bondi", owner)
    add_app("harbour", twin)
    with clinic_context("bondi"):
        OpenSession.objects.create(user=owner, browser="Chrome")
    answer = run("reset-second-factor", "bondi", "--email", "Owner@Clinic.example")
    assert answer == {"clinic": "bondi", "email": "Owner@Clinic.example", "mailed": True, "changed": True}
    with clinic_context("bondi"):
        assert not Authenticator.objects.exists()
        assert not OpenSession.objects.exists()
        (line,) = Event.objects.filter(action=Action.SECOND_FACTOR_RESET)
        assert (line.user_id, line.user_email, line.details) == (None, "ops", {"person": owner.email})
    with clinic_context("harbour"):
        assert Authenticator.objects.exists()
    again = run("reset-second-factor", "bondi", "--email", owner.email)
    assert (again["mailed"], again["changed"]) == (False, False)
    (sent,) = mailoutbox
    assert sent.to == [owner.email]
    assert "has reset your two-step verification" in sent.body


def test_an_invitation_to_a_wrong_address_is_taken_back(bondi: Clinic, harbour: Clinic, run: Run) -> None:
    for label in ("bondi", "harbour"):
        run("invite", label, "--email", "wrong@clinic.example", "--role", "owner")
        run("invite", label, "--email", "right@clinic.example", "--role", "owner")
    words = ("invite", "bondi", "--email", "Wrong@Clinic.example", "--take-back")
    assert run(*words, "--dry-run")["changed"] is True
    assert [run(*words)["changed"] for _ in range(2)] == [True, False]
    left = {}
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            left[label] = set(invitations.pending().values_list("email", flat=True))
    assert left == {"bondi": {"right@clinic.example"}, "harbour": {"right@clinic.example", "wrong@clinic.example"}}
    with clinic_context("bondi"):
        (line,) = Event.objects.filter(action=Action.INVITATION_REVOKED)
    assert (line.user_email, line.details) == ("ops", {"person": "wrong@clinic.example", "role": "owner"})


def test_an_invitation_that_was_accepted_is_not_said_to_be_taken_back(
    staff_member: Callable[..., User], capsys: pytest.CaptureFixture[str]
) -> None:
    person = staff_member("bondi", "owner")
    assert "has accepted" in refusal(capsys, "invite", "bondi", "--email", person.email, "--take-back")
    assert "isn't an email address" in refusal(capsys, "invite", "bondi", "--email", "nobody", "--take-back")


def test_a_reset_that_cannot_be_is_refused_with_a_sentence(
    staff_member: Callable[..., User], capsys: pytest.CaptureFixture[str]
) -> None:
    staff_member("bondi", "owner")
    words = ("reset-second-factor", "bondi", "--email")
    assert refusal(capsys, *words, "nobody@clinic.example").startswith("No one at bondi has the email address")
    assert "nowhere" in refusal(capsys, "reset-second-factor", "nowhere", "--email", "owner@clinic.example")


def test_a_reset_whose_mail_fails_says_so(
    run: Run, staff_member: Callable[..., User], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError

    add_app("bondi", staff_member("bondi", "owner"))
    monkeypatch.setattr("django.core.mail.EmailMessage.send", fail)
    assert run("reset-second-factor", "bondi", "--email", "owner@clinic.example")["mailed"] is False


def test_invite_prints_the_address_and_mails_it(bondi: Clinic, run: Run, mailoutbox: list[object]) -> None:
    answer = run("invite", "bondi", "--email", "robin@clinic.example", "--role", "clinician")
    assert str(answer["invite_url"]).startswith("http://bondi.localhost:8000/invite/")
    assert len(mailoutbox) == 1


@pytest.mark.parametrize("words", [[], ["create"], ["frobnicate"], ["show"], ["invite", "bondi", "--role", "king"]])
def test_wrong_usage_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        Command().run_from_argv(["manage.py", "clinic", *words])
    assert stopped.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_process_with_wrong_usage_ends_with_2_and_without_a_traceback() -> None:
    command = [sys.executable, "manage.py", "clinic", "frobnicate"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show", "bondi"), "Tables are missing"),
        (("suspend", "bondi", "--reason", "x"), "Tables are missing"),
        (("rename", "bondi", "manly"), "Tables are missing"),
        (("sync", "bondi"), "Tables are missing"),
        (("close", "bondi", "--on", "2040-01-01"), "The access log can't be written"),
        (("export", "bondi", "--to", "."), "The access log can't be written"),
    ],
)
def test_tables_that_are_gone_are_one_sentence(
    bondi: Clinic, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER SCHEMA {bondi.schema_name} RENAME TO clinic_that_is_gone")
    said = refusal(capsys, *words)
    assert said.startswith(sentence)
    assert said.count("\n") == 1


def test_a_name_that_is_too_long_is_refused(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("create", "coogee", "--owner", "owner@coogee.example", "--name")
    assert refusal(capsys, *words, "x" * 201) == "The name is longer than 200 characters.\n"


def test_the_list_shows_whole_addresses_however_narrow_it_is(
    bondi: Clinic, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    Clinic.objects.filter(pk=bondi.pk).update(checked_at=timezone.now())
    call_command("clinic", "list")
    assert "http://bondi.localhost:8000/" in capsys.readouterr().out
