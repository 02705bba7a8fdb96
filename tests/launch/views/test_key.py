"""The API key page: a pasted key is tested with Cliniko before it is stored."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.signals import REAUTHENTICATED_AT
from audit.log import AuditUnavailable
from audit.models import Event
from launch.models import Note
from sandbox.cliniko.faults.kinds import Fault
from sync.cliniko.client import Cliniko
from sync.models import Connection, Cursor, Patient
from tenants.context import clinic_context
from tenants.models import Clinic, KeyBudget
from tests.cliniko_sandbox import Sandbox


@pytest.fixture
def owner(sandbox: Sandbox, force_login: Callable[..., Client]) -> Client:
    return force_login("bondi", role="owner")


def paste(browser: Client, key: str, **more: str) -> Any:
    return browser.post("/settings/key", {"key": key, **more})


def text_of(response: Any) -> str:
    """Return the page's text, without tags and repeated spaces."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def in_use(label: str = "bondi") -> str:
    with clinic_context(label):
        return Connection.objects.values_list("key_last4", flat=True).first() or ""


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_a_working_key_is_stored_and_the_page_shows_whose_it_is(
    sandbox: Sandbox, force_login: Callable[..., Client], role: str
) -> None:
    key = sandbox.store.key("bondi")
    browser = force_login("bondi", role=role)
    text = text_of(browser.post("/settings/key", {"key": key}, follow=True))
    name = sandbox.store.all("bondi", "users")[0].body
    assert f"Connected to Bondi Physio (au1) as {name['first_name']} {name['last_name']}, {name['role']}." in text
    assert "Patients: yes. Medical alerts: yes. Appointments: yes." in text
    assert key[-8:-4] in in_use()
    assert f"…{in_use()}" in text_of(browser.get("/settings/key"))
    assert in_use("harbour") == ""


def test_the_page_shows_what_the_users_role_cannot_read(sandbox: Sandbox, owner: Client) -> None:
    sandbox.store.forbid(sandbox.store.key("bondi"), "medical_alerts")
    text = text_of(owner.post("/settings/key", {"key": sandbox.store.key("bondi")}, follow=True))
    assert "Medical alerts: no, this user’s role doesn’t allow it." in text
    assert "Can't read Medical alerts" in text_of(owner.get("/settings/key"))


def test_access_to_invoices_is_tested_though_they_are_not_copied(sandbox: Sandbox, owner: Client) -> None:
    key = sandbox.store.key("bondi")
    text = text_of(owner.post("/settings/key", {"key": key}, follow=True))
    assert "Invoices: yes, though Sidechart doesn’t copy them." in text
    sandbox.store.forbid(key, "invoices")
    assert "Invoices: no, this user’s role doesn’t allow it." in text_of(
        owner.post("/settings/key", {"key": key}, follow=True)
    )
    sandbox.store.inject_fault("bondi", Fault.SERVER_ERROR, resource="invoices", times=9)
    text = text_of(owner.post("/settings/key", {"key": key}, follow=True))
    assert "Connected to Bondi Physio" in text
    assert "Invoices" not in text


def test_a_rate_limit_met_by_the_invoices_test_is_respected(sandbox: Sandbox, owner: Client) -> None:
    sandbox.store.inject_fault("bondi", Fault.TOO_MANY_HOUR, resource="invoices")
    assert "Connected to Bondi Physio" in text_of(
        owner.post("/settings/key", {"key": sandbox.store.key("bondi")}, follow=True)
    )
    blocked = KeyBudget.objects.get(blocked_until__isnull=False).blocked_until
    assert blocked is not None
    assert blocked > timezone.now() + timedelta(minutes=30)


def test_the_first_key_ends_the_setup_and_sets_name_zone_and_word(sandbox: Sandbox, owner: Client) -> None:
    Clinic.objects.filter(label="bondi").update(
        state=Clinic.State.SETUP, name="To be named", sync_due_at="2100-01-01T00:00Z"
    )
    paste(owner, sandbox.store.key("bondi"))
    clinic = Clinic.objects.get(label="bondi")
    assert (clinic.state, clinic.name) == (Clinic.State.ACTIVE, "Bondi Physio")
    assert clinic.sync_due_at <= timezone.now()
    with clinic_context("bondi"):
        connection = Connection.objects.get()
        assert connection.time_zone == "Australia/Sydney"
        total = Cursor.objects.get(resource="practitioners").total
        assert total == len(sandbox.store.all("bondi", "practitioners"))


def test_an_unknown_time_zone_is_shown_and_does_not_replace_a_known_one(
    sandbox: Sandbox, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Cliniko.settings

    def elsewhere(client: Cliniko) -> dict[str, Any]:
        page = settings(client)
        return page | {"account": page["account"] | {"time_zone": "Atlantis"}}

    monkeypatch.setattr(Cliniko, "settings", elsewhere)
    paste(owner, sandbox.store.key("bondi"))
    assert "shown in UTC" in text_of(owner.get("/settings/key"))
    with clinic_context("bondi"):
        assert Connection.objects.get().time_zone == "UTC"
        Connection.objects.update(time_zone="Australia/Sydney")
    paste(owner, sandbox.store.issue_key("bondi"))
    assert "shown in UTC" not in text_of(owner.get("/settings/key"))
    with clinic_context("bondi"):
        assert Connection.objects.get().time_zone == "Australia/Sydney"


def test_a_new_key_writes_an_audit_entry_without_the_key(sandbox: Sandbox, owner: Client) -> None:
    paste(owner, sandbox.store.key("bondi"))
    with clinic_context("bondi"):
        line = Event.objects.get(action="key_changed")
    assert (line.user_email, line.details["account"]) == ("owner@clinic.example", "Bondi Physio")
    assert sandbox.store.key("bondi") not in str(line.details)


def test_no_key_is_stored_when_its_entry_cannot_be_written(
    sandbox: Sandbox, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AuditUnavailable("The access log cannot be written.")

    monkeypatch.setattr("sync.connection.connect.record", refuse)
    assert paste(owner, sandbox.store.key("bondi")).status_code == 503
    assert in_use() == ""


# --- Keys that are refused ------------------------------------------------------------------------------------------

COPY, MAKE = "Copy the key there and paste it here.", "Copy the whole key again from My info > Manage API keys"
ADMINISTRATOR = "A Cliniko administrator can change that user's role"
NOT_A_KEY = "This isn't a Cliniko API key"
NOT_ACCEPTED = "doesn't accept this key"
WHOLE = "MS0xLVNBTkRCT1gt-abcdefghijklmnopqrstuvwxyz"

BAD_KEYS = [
    ("", "There is no key to test.", COPY),
    ("   ", "There is no key to test.", COPY),
    ("\r\n\t", "There is no key to test.", COPY),
    ("key", NOT_A_KEY, MAKE),
    ("••••••••••••••••", NOT_A_KEY, MAKE),
    (WHOLE + "\x00", NOT_A_KEY, MAKE),
    (WHOLE * 50, NOT_A_KEY, MAKE),
    ("https://bondi-physio.au2.cliniko.com/users/1/api_keys", "This is a URL", COPY),
    ("bondi-physio.au2.cliniko.com", "This is a URL", COPY),
    ("kim@bondi.example", "This is an email address", COPY),
    (f"API key: {WHOLE}-au1", "There are spaces or line breaks in the middle", MAKE),
    (f"{WHOLE[:20]}\n{WHOLE[20:]}-au1", "There are spaces or line breaks in the middle", MAKE),
    (f"{WHOLE}-evil.com", NOT_A_KEY, MAKE),
    (f"{WHOLE}-au1.evil.com", NOT_A_KEY, MAKE),
    (f"{WHOLE}-au1/../", NOT_A_KEY, MAKE),
    (f"{WHOLE}-au1@evil.com", "This is an email address", COPY),
    (f"{WHOLE}-AU1\n", f"Cliniko (au1) {NOT_ACCEPTED}", MAKE),
    (f"{WHOLE}-127", f"Cliniko (au1) {NOT_ACCEPTED}", MAKE),
    (f"{WHOLE}-au2", f"Cliniko (au2) {NOT_ACCEPTED}", MAKE),
    (WHOLE, f"Cliniko (au1) {NOT_ACCEPTED}", MAKE),
]


@pytest.mark.parametrize(("pasted", "happened", "help"), BAD_KEYS, ids=[repr(bad[0][:40]) for bad in BAD_KEYS])
def test_an_invalid_key_is_refused_with_what_to_do(
    sandbox: Sandbox, owner: Client, pasted: str, happened: str, help: str
) -> None:
    paste(owner, sandbox.store.key("bondi"))
    before = in_use()
    response = paste(owner, pasted)
    text = text_of(response)
    assert response.status_code == 422
    assert happened in text
    assert help in text
    assert f"The key …{before} is still in use." in text
    assert WHOLE not in response.content.decode()
    assert in_use() == before


def test_a_revoked_key_is_refused_as_deleted_in_cliniko(sandbox: Sandbox, owner: Client) -> None:
    key = sandbox.store.key("bondi")
    sandbox.store.revoke_key(key)
    text = text_of(paste(owner, key))
    assert NOT_ACCEPTED in text
    assert "was deleted in Cliniko" in text
    assert "still in use" not in text


def test_a_key_that_cannot_read_patients_is_refused_with_who_can_help(sandbox: Sandbox, owner: Client) -> None:
    sandbox.store.forbid(sandbox.store.key("bondi"), "patients")
    text = text_of(paste(owner, sandbox.store.key("bondi")))
    assert "isn't allowed to read patients" in text
    assert not any("/invoices" in each.path for each in sandbox.store.requests("bondi"))
    assert ADMINISTRATOR in text
    assert in_use() == ""


@pytest.mark.parametrize(
    ("fault", "happened", "help"),
    [
        (Fault.TOO_MANY, "this key has reached the limit", "Nothing is wrong with the key. Paste it again at"),
        (Fault.UNAVAILABLE, "Cliniko (au1) isn't responding", "Paste it again in a few minutes."),
        (Fault.NOT_JSON, "Cliniko (au1) isn't responding", "Paste it again in a few minutes."),
        (Fault.REDIRECT, "Cliniko (au1) isn't responding", "Paste it again in a few minutes."),
        (Fault.FORBIDDEN, "isn't allowed to read this", ADMINISTRATOR),
        (Fault.UNAUTHORIZED, NOT_ACCEPTED, "create a new one there"),
    ],
)
def test_a_failed_test_of_a_key_is_explained_and_nothing_is_stored(
    sandbox: Sandbox, owner: Client, fault: Fault, happened: str, help: str
) -> None:
    sandbox.store.inject_fault("bondi", fault, times=None, seconds=30)
    response = paste(owner, sandbox.store.key("bondi"))
    assert response.status_code == 422
    assert happened in text_of(response)
    assert help in text_of(response)
    assert in_use() == ""


def test_an_unreachable_cliniko_is_explained(sandbox: Sandbox, owner: Client, settings: Any) -> None:
    settings.CLINIKO_API_URL = "http://127.0.0.1:9/{shard}"
    assert "isn't responding, so the key couldn't be tested" in text_of(paste(owner, sandbox.store.key("bondi")))


@pytest.mark.parametrize("around", ["{}\n", "  {}  ", "\r\n{}\r\n", "\u00a0{}\t"])
def test_whitespace_around_a_key_is_ignored(sandbox: Sandbox, owner: Client, around: str) -> None:
    assert paste(owner, around.format(sandbox.store.key("bondi"))).status_code == 302
    assert in_use()


# --- Another account -------------------------------------------------------------------------------------------------


@pytest.fixture
def mirrored_bondi(sandbox: Sandbox, owner: Client) -> Sandbox:
    """Bondi's account is copied, with one patient and one note about them."""
    paste(owner, sandbox.store.key("bondi"))
    sandbox.store.add_patient("bondi", first_name="Ada")
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        Note.objects.create(patient_id=Patient.objects.get().cliniko_id, text="Left knee", author="Kim")
    return sandbox


def test_another_account_needs_a_tick_that_deletes_the_mirror(mirrored_bondi: Sandbox, owner: Client) -> None:
    before, other = in_use(), mirrored_bondi.store.key("harbour")
    response = paste(owner, other)
    text = text_of(response)
    assert response.status_code == 422
    assert "The clinic has moved from Bondi Physio to Harbour Osteopathy" in text
    assert "including 1 patient," in text
    assert f"The key …{before} is still in use." in text
    assert other.rpartition("-")[0] not in response.content.decode()
    assert in_use() == before
    agreed = re.search(r'name="agreed_to" value="([^"]+)"', response.content.decode())
    assert agreed
    assert paste(owner, other, agreed_to=agreed[1]).status_code == 302
    with clinic_context("bondi"):
        assert Connection.objects.get().account_subdomain == "harbour"
        assert not Patient.objects.exists()
        assert Note.objects.exclude(set_aside_at=None).count() == 1


@pytest.mark.parametrize("agreed_to", ["", "yes", "true", "au2/elsewhere", "au1/harbour"])
def test_agreeing_to_one_account_does_not_agree_to_another(
    mirrored_bondi: Sandbox, owner: Client, agreed_to: str
) -> None:
    before = in_use()
    assert paste(owner, mirrored_bondi.store.key("harbour"), agreed_to=agreed_to).status_code == 422
    with clinic_context("bondi"):
        assert Patient.objects.count() == 1
    assert in_use() == before


# --- Who may, and when -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["clinician", "reception", "readonly"])
def test_other_roles_cannot_change_the_key(sandbox: Sandbox, force_login: Callable[..., Client], role: str) -> None:
    browser = force_login("bondi", role=role)
    assert browser.get("/settings/key").status_code == 403
    assert paste(browser, sandbox.store.key("bondi")).status_code == 403
    assert in_use() == ""


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_old_sign_in_needs_reauthentication(sandbox: Sandbox, owner: Client, method: str) -> None:
    with clinic_context("bondi"):
        session = owner.session
        session[REAUTHENTICATED_AT] = time.time() - 3600
        session.save()
    response = owner.generic(
        method, "/settings/key", f"key={sandbox.store.key('bondi')}", "application/x-www-form-urlencoded"
    )
    assert response["Location"].startswith("/account/confirm?t=")
    assert in_use() == ""


def test_the_field_is_never_filled_in_or_saved_by_the_browser(sandbox: Sandbox, owner: Client) -> None:
    field = re.search(r'<input[^>]*name="key"[^>]*>', owner.get("/settings/key").content.decode())
    assert field
    assert 'type="password"' in field[0]
    assert 'autocomplete="off"' in field[0]
    assert "value=" not in field[0]


def test_a_new_key_does_not_end_a_pause(mirrored_bondi: Sandbox, owner: Client) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(state=Connection.State.PAUSED)
    assert paste(owner, mirrored_bondi.store.issue_key("bondi")).status_code == 302
    with clinic_context("bondi"):
        assert Connection.objects.get().state == Connection.State.PAUSED
