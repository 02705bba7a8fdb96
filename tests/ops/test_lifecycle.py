"""A clinic is suspended, works again, closes and gets another name; the one beside it notices nothing."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import OpenSession, User
from audit.log import OPS
from audit.models import Event
from launch.models import Note
from ops import lifecycle
from ops.onboarding import Refused
from sync.models import Connection
from sync.walk.lease import Lease, LeaseLost
from tenants.context import clinic_context
from tenants.labels import LabelRefused
from tenants.models import Clinic, Domain
from tests.cliniko_sandbox import Sandbox

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("suspend", "bondi", "--reason", "…")`: the command's JSON answer."""

    def answer(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        call_command("clinic", *words, "--json")
        said: dict[str, Any] = json.loads(capsys.readouterr().out)
        return said

    return answer


def latest_line(label: str) -> tuple[str, str, dict[str, Any]]:
    with clinic_context(label):
        line = Event.objects.latest("pk")
        return line.user_email, line.action, line.details


# --- Suspended ---


def test_whoever_is_signed_in_is_out_with_the_next_click_and_stays_out_after_it_works_again(
    sign_in: Callable[..., Client], run: Run
) -> None:
    here, there = sign_in("bondi", "owner"), sign_in("harbour", "owner")
    assert run("suspend", "bondi", "--reason", "unpaid")["changed"] is True
    unknown = Client(HTTP_HOST="nowhere.localhost").get("/")
    answer = here.get("/")
    assert (answer.status_code, answer.content) == (404, unknown.content)
    assert there.get("/").status_code == 200
    run("resume", "bondi")
    assert here.get("/")["Location"].startswith("/login")
    assert latest_line("bondi") == ("ops", "clinic_resumed", {"was": "suspended"})


def test_a_worker_under_way_writes_nothing_more(sandbox: Sandbox) -> None:
    sandbox.connect("bondi")
    with clinic_context("bondi"):
        lease = Lease().__enter__()
    lifecycle.suspend("bondi", reason="unpaid", by=OPS)
    with clinic_context("bondi"), pytest.raises(LeaseLost):
        lease.renew()


def test_whoever_suspends_and_whoever_changes_the_key_lock_in_the_same_order(sandbox: Sandbox) -> None:
    def order(act: Callable[[], object]) -> list[str]:
        with CaptureQueriesContext(connection) as asked:
            act()
        sql = [each["sql"] for each in asked]
        locks = [each for each in sql if "FOR UPDATE" in each or "UPDATE public.tenants_clinic" in each]
        return list(dict.fromkeys("connection" if "sync_connection" in each else "clinic" for each in locks))

    assert order(lambda: sandbox.connect("bondi")) == ["connection", "clinic"]
    assert order(lambda: lifecycle.suspend("bondi", reason="unpaid", by=OPS)) == ["connection", "clinic"]


def test_the_key_is_kept_and_used_again(sandbox: Sandbox, run: Run) -> None:
    for label in ("bondi", "harbour"):
        sandbox.connect(label)
    run("suspend", "bondi", "--reason", "unpaid")
    with clinic_context("bondi"):
        sealed = Connection.objects.get().sealed_key
    assert run("resume", "bondi")["state"] == "active"
    with clinic_context("bondi"):
        assert Connection.objects.get().sealed_key == sealed
    sandbox.sync("bondi")


def test_a_clinic_without_a_key_goes_back_to_its_setup(bondi: Clinic) -> None:
    lifecycle.suspend("bondi", reason="unpaid", by=OPS)
    assert lifecycle.resume("bondi", by=OPS).state == "setup"


def test_what_is_asked_for_twice_is_done_once(bondi: Clinic, run: Run) -> None:
    assert run("suspend", "bondi", "--reason", "unpaid")["changed"] is True
    assert run("suspend", "bondi", "--reason", "again")["changed"] is False
    assert run("show", "bondi")["state_reason"] == "unpaid"
    assert run("resume", "bondi")["changed"] is True
    assert run("resume", "bondi")["changed"] is False
    with clinic_context("bondi"):
        lines = Event.objects.order_by("pk").values_list("action", flat=True)
        assert [*lines] == ["clinic_suspended", "clinic_resumed"]


@pytest.mark.parametrize("reason", ["", " ", "x" * 201])
def test_a_suspension_has_a_reason(bondi: Clinic, reason: str) -> None:
    with pytest.raises(Refused):
        lifecycle.suspend("bondi", reason=reason, by=OPS)
    bondi.refresh_from_db()
    assert bondi.state == "active"


# --- Tried before ---


@pytest.mark.parametrize(
    "words",
    [
        ["suspend", "bondi", "--reason", "unpaid"],
        ["close", "bondi", "--on", "2040-01-01"],
        ["rename", "bondi", "manly"],
        ["create", "coogee", "--name", "Coogee", "--owner", "owner@coogee.example"],
    ],
)
def test_a_dry_run_changes_nothing_and_tells_nobody(
    staff_member: Callable[..., User],
    run: Run,
    words: list[str],
    mailoutbox: list[EmailMessage],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    staff_member("bondi", "owner")
    before = [*Clinic.objects.order_by("pk").values()]
    with django_capture_on_commit_callbacks(execute=True):
        run(*words, "--dry-run")
    assert [*Clinic.objects.order_by("pk").values()] == before
    assert set(Domain.objects.values_list("domain", flat=True)) == {"bondi", "harbour"}
    assert mailoutbox == []
    with clinic_context("bondi"):
        assert not Event.objects.exists()


# --- Another name ---


def test_the_former_address_leads_to_the_same_page_at_the_new_one(bondi: Clinic, harbour: Clinic, run: Run) -> None:
    run("rename", "bondi", "manly")
    old = Client(HTTP_HOST="bondi.localhost")
    assert old.get("/patients?patient_id=42")["Location"] == "http://manly.localhost:8000/patients?patient_id=42"
    assert "no-store" in old.get("/")["Cache-Control"]
    assert Client(HTTP_HOST="manly.localhost").get("/patients?patient_id=42").status_code == 302
    assert Client(HTTP_HOST="harbour.localhost").get("/login").status_code == 200
    assert latest_line("manly") == ("ops", "clinic_renamed", {"before": "bondi", "after": "manly"})
    assert run("rename", "bondi", "manly")["changed"] is False
    with clinic_context("manly"):
        assert Event.objects.filter(action="clinic_renamed").count() == 1
    shown = run("show", "manly")
    assert (shown["launch_url"], shown["former_labels"]) == ("http://manly.localhost:8000/patients", ["bondi"])


def test_a_note_that_was_being_written_during_the_rename_is_kept(
    sign_in: Callable[..., Client], add_patient: Callable[..., str], mark_imported: Callable[[str], None]
) -> None:
    for label in ("bondi", "harbour"):
        add_patient(label)
        mark_imported(label)
    browser = sign_in("bondi", "clinician")
    view = re.search(r'name="view" value="([^"]+)"', browser.get("/patients/42/").content.decode())
    assert view
    lifecycle.rename("bondi", "manly", by=OPS)
    browser.post("/patients/42/notes", {"text": "Prefers mornings", "view": view[1]}, headers={"HX-Request": "true"})
    with clinic_context("manly"):
        assert [*Note.objects.values_list("text", flat=True)] == ["Prefers mornings"]
    assert browser.get("/patients/42/")["Location"] == "http://manly.localhost:8000/patients/42/"


@pytest.mark.parametrize("taken", ["harbour", "bay"])
def test_a_name_that_somebody_has_or_had_is_not_given_to_another(bondi: Clinic, harbour: Clinic, taken: str) -> None:
    lifecycle.rename("harbour", "bay", by=OPS)
    with pytest.raises(Refused, match="taken"):
        lifecycle.rename("bondi", taken, by=OPS)
    bondi.refresh_from_db()
    assert bondi.label == "bondi"
    assert [*Domain.objects.filter(tenant=bondi).values_list("domain", "is_primary")] == [("bondi", True)]


def test_a_clinic_gets_its_former_name_back(bondi: Clinic) -> None:
    lifecycle.rename("bondi", "manly", by=OPS)
    lifecycle.rename("manly", "bondi", by=OPS)
    domains = Domain.objects.filter(tenant=bondi).order_by("domain").values_list("domain", "is_primary")
    assert [*domains] == [("bondi", True), ("manly", False)]
    assert Client(HTTP_HOST="manly.localhost").get("/")["Location"] == "http://bondi.localhost:8000/"


def test_a_name_that_cannot_be_a_subdomain_is_refused(bondi: Clinic) -> None:
    for wrong in ("Manly", "www", "a", "xn--manly"):
        with pytest.raises(LabelRefused):
            lifecycle.rename("bondi", wrong, by=OPS)


def test_the_former_address_of_a_suspended_clinic_answers_like_an_unknown_one(bondi: Clinic) -> None:
    lifecycle.rename("bondi", "manly", by=OPS)
    lifecycle.suspend("manly", reason="unpaid", by=OPS)
    answers = {Client(HTTP_HOST=f"{label}.localhost").get("/").content for label in ("bondi", "manly", "nowhere")}
    assert len(answers) == 1


def test_a_rename_says_whose_passkeys_stop_counting(bondi: Clinic, staff_member: Callable[..., User]) -> None:
    person = staff_member("bondi", "owner")
    with clinic_context("bondi"):
        Authenticator.objects.create(user=person, type=Authenticator.Type.WEBAUTHN, data={})
        Authenticator.objects.create(user=person, type=Authenticator.Type.TOTP, data={})
    assert "1 of its staff" in lifecycle.rename("bondi", "manly", by=OPS).sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["suspend", "nowhere", "--reason", "x"], "no clinic 'nowhere'"),
        (["resume", "nowhere"], "no clinic 'nowhere'"),
        (["rename", "nowhere", "manly"], "no clinic 'nowhere'"),
        (["rename", "bondi", "harbour"], "taken"),
        (["rename", "bondi", "www"], "reserved"),
        (["close", "bondi", "--on", "2020-01-01"], "isn't in the future"),
        (["purge", "bondi", "--yes"], "is still working"),
        (["purge", "nowhere", "--yes"], "no clinic 'nowhere'"),
    ],
)
def test_wrong_input_gets_one_sentence(
    bondi: Clinic, harbour: Clinic, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        call_command("clinic", *words)
    said = capsys.readouterr()
    assert (stopped.value.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert sentence in said.err


def test_open_sessions_of_the_other_clinic_stay(sign_in: Callable[..., Client]) -> None:
    sign_in("bondi"), sign_in("harbour")
    lifecycle.suspend("bondi", reason="unpaid", by=OPS)
    with clinic_context("harbour"):
        assert OpenSession.objects.count() == 1
