"""Suspend, resume, close and rename a clinic, without an effect on the other one."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import OpenSession, User
from audit.log import OPS
from audit.models import Event
from launch.models import Note
from ops import lifecycle
from ops.errors import Refused
from sync.models import Connection
from sync.walk.lease import Lease, LeaseLost
from tenants.context import clinic_context
from tenants.labels import LabelRefused
from tenants.models import Clinic, Domain
from tests.cliniko_sandbox import Sandbox

RunClinic = Callable[..., dict[str, Any]]


def latest_event(label: str) -> tuple[str, str, dict[str, Any]]:
    with clinic_context(label):
        event = Event.objects.latest("pk")
        return event.user_email, event.action, event.details


# --- Suspend and resume ---


def test_suspending_signs_everyone_out_and_resuming_does_not_sign_them_in(
    sign_in: Callable[..., Client], run_clinic: RunClinic
) -> None:
    bondi, harbour = sign_in("bondi", "owner"), sign_in("harbour", "owner")
    assert run_clinic("suspend", "bondi", "--reason", "unpaid")["changed"] is True
    unknown = Client(HTTP_HOST="nowhere.localhost").get("/")
    response = bondi.get("/")
    assert (response.status_code, response.content) == (404, unknown.content)
    assert harbour.get("/").status_code == 200
    run_clinic("resume", "bondi")
    assert bondi.get("/")["Location"].startswith("/login")
    assert latest_event("bondi") == ("ops", "clinic_resumed", {"was": "suspended"})


def test_suspending_revokes_a_running_workers_lease(sandbox: Sandbox) -> None:
    sandbox.connect("bondi")
    with clinic_context("bondi"):
        lease = Lease().__enter__()
    lifecycle.suspend("bondi", reason="unpaid", by=OPS)
    with clinic_context("bondi"), pytest.raises(LeaseLost):
        lease.renew()


def test_suspend_and_key_entry_take_their_locks_in_the_same_order(sandbox: Sandbox) -> None:
    def order(act: Callable[[], object]) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            act()
        sql = [each["sql"] for each in queries]
        locks = [each for each in sql if "FOR UPDATE" in each or "UPDATE public.tenants_clinic" in each]
        return list(dict.fromkeys("connection" if "sync_connection" in each else "clinic" for each in locks))

    assert order(lambda: sandbox.connect("bondi")) == ["connection", "clinic"]
    assert order(lambda: lifecycle.suspend("bondi", reason="unpaid", by=OPS)) == ["connection", "clinic"]


def test_the_key_stays_stored_and_works_after_resuming(sandbox: Sandbox, run_clinic: RunClinic) -> None:
    for label in ("bondi", "harbour"):
        sandbox.connect(label)
    run_clinic("suspend", "bondi", "--reason", "unpaid")
    with clinic_context("bondi"):
        sealed = Connection.objects.get().sealed_key
    assert run_clinic("resume", "bondi")["state"] == "active"
    with clinic_context("bondi"):
        assert Connection.objects.get().sealed_key == sealed
    sandbox.sync("bondi")


def test_resuming_a_clinic_without_a_key_returns_it_to_setup(bondi: Clinic) -> None:
    lifecycle.suspend("bondi", reason="unpaid", by=OPS)
    assert lifecycle.resume("bondi", by=OPS).state == "setup"


def test_repeating_an_action_changes_nothing(bondi: Clinic, run_clinic: RunClinic) -> None:
    assert run_clinic("suspend", "bondi", "--reason", "unpaid")["changed"] is True
    assert run_clinic("suspend", "bondi", "--reason", "again")["changed"] is False
    assert run_clinic("show", "bondi")["state_reason"] == "unpaid"
    assert run_clinic("resume", "bondi")["changed"] is True
    assert run_clinic("resume", "bondi")["changed"] is False
    with clinic_context("bondi"):
        actions = Event.objects.order_by("pk").values_list("action", flat=True)
        assert [*actions] == ["clinic_suspended", "clinic_resumed"]


@pytest.mark.parametrize("reason", ["", " ", "x" * 201])
def test_suspending_needs_a_reason_of_at_most_200_characters(bondi: Clinic, reason: str) -> None:
    with pytest.raises(Refused):
        lifecycle.suspend("bondi", reason=reason, by=OPS)
    bondi.refresh_from_db()
    assert bondi.state == "active"


# --- Dry runs ---


@pytest.mark.parametrize(
    "words",
    [
        ["suspend", "bondi", "--reason", "unpaid"],
        ["close", "bondi", "--on", "2040-01-01"],
        ["rename", "bondi", "manly"],
        ["create", "coogee", "--name", "Coogee", "--owner", "owner@coogee.example"],
    ],
)
def test_a_dry_run_changes_nothing_and_sends_no_email(
    staff_member: Callable[..., User],
    run_clinic: RunClinic,
    words: list[str],
    mailoutbox: list[EmailMessage],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    staff_member("bondi", "owner")
    before = [*Clinic.objects.order_by("pk").values()]
    with django_capture_on_commit_callbacks(execute=True):
        run_clinic(*words, "--dry-run")
    assert [*Clinic.objects.order_by("pk").values()] == before
    assert set(Domain.objects.values_list("domain", flat=True)) == {"bondi", "harbour"}
    assert mailoutbox == []
    with clinic_context("bondi"):
        assert not Event.objects.exists()


# --- Rename ---


def test_the_old_address_redirects_to_the_same_page_at_the_new_one(
    bondi: Clinic, harbour: Clinic, run_clinic: RunClinic
) -> None:
    run_clinic("rename", "bondi", "manly")
    old = Client(HTTP_HOST="bondi.localhost")
    assert old.get("/patients?patient_id=42")["Location"] == "http://manly.localhost:8000/patients?patient_id=42"
    assert "no-store" in old.get("/")["Cache-Control"]
    assert Client(HTTP_HOST="manly.localhost").get("/patients?patient_id=42").status_code == 302
    assert Client(HTTP_HOST="harbour.localhost").get("/login").status_code == 200
    assert latest_event("manly") == ("ops", "clinic_renamed", {"before": "bondi", "after": "manly"})
    assert run_clinic("rename", "bondi", "manly")["changed"] is False
    with clinic_context("manly"):
        assert Event.objects.filter(action="clinic_renamed").count() == 1
    report = run_clinic("show", "manly")
    assert (report["launch_url"], report["former_labels"]) == ("http://manly.localhost:8000/patients", ["bondi"])


def test_a_note_being_written_during_a_rename_is_saved(
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
def test_another_clinics_current_or_former_label_is_taken(bondi: Clinic, harbour: Clinic, taken: str) -> None:
    lifecycle.rename("harbour", "bay", by=OPS)
    with pytest.raises(Refused, match="taken"):
        lifecycle.rename("bondi", taken, by=OPS)
    bondi.refresh_from_db()
    assert bondi.label == "bondi"
    assert [*Domain.objects.filter(tenant=bondi).values_list("domain", "is_primary")] == [("bondi", True)]


def test_a_clinic_can_have_its_former_label_back(bondi: Clinic) -> None:
    lifecycle.rename("bondi", "manly", by=OPS)
    lifecycle.rename("manly", "bondi", by=OPS)
    domains = Domain.objects.filter(tenant=bondi).order_by("domain").values_list("domain", "is_primary")
    assert [*domains] == [("bondi", True), ("manly", False)]
    assert Client(HTTP_HOST="manly.localhost").get("/")["Location"] == "http://bondi.localhost:8000/"


def test_an_invalid_label_is_refused(bondi: Clinic) -> None:
    for wrong in ("Manly", "www", "a", "xn--manly"):
        with pytest.raises(LabelRefused):
            lifecycle.rename("bondi", wrong, by=OPS)


def test_the_old_address_of_a_suspended_clinic_responds_like_an_unknown_one(bondi: Clinic) -> None:
    lifecycle.rename("bondi", "manly", by=OPS)
    lifecycle.suspend("manly", reason="unpaid", by=OPS)
    pages = {Client(HTTP_HOST=f"{label}.localhost").get("/").content for label in ("bondi", "manly", "nowhere")}
    assert len(pages) == 1


def test_a_rename_says_how_many_users_have_passkeys(bondi: Clinic, staff_member: Callable[..., User]) -> None:
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
def test_wrong_input_is_refused_in_one_sentence(
    bondi: Clinic, harbour: Clinic, refusal: Callable[..., str], words: list[str], sentence: str
) -> None:
    assert sentence in refusal(*words)


def test_suspending_keeps_the_other_clinics_sessions(sign_in: Callable[..., Client]) -> None:
    sign_in("bondi"), sign_in("harbour")
    lifecycle.suspend("bondi", reason="unpaid", by=OPS)
    with clinic_context("harbour"):
        assert OpenSession.objects.count() == 1
