"""A canary key and a canary patient are processed everywhere, and then found only where they belong."""

import io
import logging
import re
from base64 import b64encode
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import requests
import responses
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from exports import archive
from saas.celery import app as celery_app
from sync.models import Connection, PatientRefresh
from sync.resources import RESOURCES
from sync.tasks import sync_clinic, tick
from sync.walk import run as walk_run
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.conftest import PASSWORD
from tests.payloads import (
    API,
    alert_payload,
    appointment_payload,
    attendee_payload,
    class_payload,
    patient_payload,
)
from tests.project.canary import CANARY, KEY, KEY_FORMS, PATIENT_ID, PERSONAL_DATA, words_in
from tests.project.conftest import set_key
from tests.project.url_table import BASE_ROWS, CLINIC_ROWS
from tests.sql import tables_containing

Browsers = Callable[..., Client]


def use_the_clinic(browser: Client, email: str) -> list[Any]:
    """Launch, sign in, view, search, refresh and reopen patients, and return all responses."""
    launch = browser.get(f"/patients?patient_id={PATIENT_ID}")
    ticket = launch["Location"].partition("t=")[2]
    refused = browser.post("/login", {"login": email, "password": "wrong", "t": ticket})
    signed_in = browser.post("/login", {"login": email, "password": PASSWORD, "t": ticket})
    page = browser.get(signed_in["Location"])
    view = re.search(r'name="view" value="(\d+)"', page.content.decode())
    assert view
    with clinic_context("bondi"):
        PatientRefresh.objects.all().delete()  # so the page can refresh again
    fresh = browser.post(f"/patients/{PATIENT_ID}/fresh", {"view": view[1]}, headers={"HX-Request": "true"})
    found = [browser.post("/search", {"text": text}) for text in ("xanthippe", "0491570156", PATIENT_ID)]
    again = browser.get(f"/patients?patient_id={PATIENT_ID}")
    unknown = browser.get("/patients/99/")
    return [launch, refused, signed_in, page, fresh, *found, again, browser.get("/"), browser.get("/search"), unknown]


def cause_errors(browser: Client, canary_cliniko: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Cause errors whose messages contain the canaries, and return all responses."""
    browser.raise_request_exception = False
    text = f"{KEY} {CANARY}"

    def fail(*_: object, **__: object) -> None:
        patient, key = CANARY, KEY  # locals, which some tracebacks show
        raise ValueError(f"{key} {patient}")

    all_responses = [browser.get(f"/nothing/{PATIENT_ID}?name=Xanthippe"), browser.post(f"/patients/{PATIENT_ID}/")]
    for body in (requests.ConnectionError(text), requests.Timeout(text), "{", f'"{text}"'):
        canary_cliniko.replace(responses.GET, f"{API}/patients/{PATIENT_ID}", body=body)
        with clinic_context("bondi"):
            PatientRefresh.objects.all().delete()
        all_responses.append(browser.get(f"/patients/{PATIENT_ID}/"))
    with monkeypatch.context() as patched:
        patched.setattr("sync.read.patients.get", fail)
        all_responses.append(browser.get(f"/patients/{PATIENT_ID}/?name=Xanthippe"))
        patched.setattr("sync.read.patients.search", fail)
        all_responses.append(browser.post("/search", {"text": "Xanthippe Quetzal"}))
    with monkeypatch.context() as patched:
        patched.setattr(walk_run, "run_slice", fail)
        schema = Clinic.objects.get(label="bondi").schema_name
        assert sync_clinic.apply(kwargs={"schema_name": schema}).failed()
    return all_responses


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_logs_have_no_patient_data_and_no_key(
    connected_cliniko: responses.RequestsMock,
    clinic_client: Browsers,
    same_staff: dict[str, str],
    log_output: io.StringIO,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    level: str,
) -> None:
    logging.getLogger().setLevel(level)
    browser = clinic_client("bondi")
    use_the_clinic(browser, same_staff["reception"])
    cause_errors(browser, connected_cliniko, monkeypatch)
    call_command("clinic", "sync", "bondi", "--json")
    output = log_output.getvalue()
    for event in ('"request"', '"request_failed"', '"task_failed"', '"builtins.ValueError"', '"frames"'):
        assert event in output
    assert "patients/<cliniko_id:patient_id>/" in output
    printed = capfd.readouterr()
    assert words_in(output + printed.out + printed.err, *PERSONAL_DATA, PATIENT_ID, *KEY_FORMS, PASSWORD) == set()
    assert '"clinic": "bondi"' in output
    assert "?" not in "".join(re.findall(r'"route": "([^"]*)"', output))


@pytest.mark.parametrize("name", ["django.request", "django.server", "django.security.csrf", "celery.app.trace"])
def test_loggers_that_print_urls_and_arguments_are_silenced(
    log_output: io.StringIO, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    logging.getLogger(name).error("GET /patients?patient_id=%s", PATIENT_ID)
    logging.getLogger("some.library").error("logged")
    printed = capfd.readouterr()
    assert "logged" in log_output.getvalue()
    assert PATIENT_ID not in log_output.getvalue() + printed.out + printed.err


def test_error_pages_have_no_patient_data_and_no_key(
    connected_cliniko: responses.RequestsMock, staff_client: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_responses = cause_errors(staff_client("bondi"), connected_cliniko, monkeypatch)
    assert [response.status_code for response in all_responses] == [404, 405, 503, 503, 503, 503, 500, 500]
    for response in all_responses:
        output = response.content.decode().replace(f'href="/patients/{PATIENT_ID}/"', "") + str(response.headers)
        assert words_in(output, *PERSONAL_DATA, PATIENT_ID, *KEY_FORMS) == set()


def test_only_the_patients_own_urls_contain_the_id(
    connected_cliniko: responses.RequestsMock, clinic_client: Browsers, same_staff: dict[str, str]
) -> None:
    all_responses = use_the_clinic(clinic_client("bondi"), same_staff["reception"])
    targets = [
        response[name]
        for response in all_responses
        for name in ("Location", "HX-Redirect", "HX-Location")
        if name in response
    ]
    assert targets.count(f"/patients/{PATIENT_ID}/") == 2
    others = [address for address in targets if address != f"/patients/{PATIENT_ID}/"]
    assert words_in(str(others), *PERSONAL_DATA, PATIENT_ID) == set()
    pages = "".join(response.content.decode() for response in all_responses)
    links = set(re.findall(r'(?:href|action|hx-post|src)="([^"]*)"', pages))
    named = {link for link in links if words_in(link, *PERSONAL_DATA, PATIENT_ID)}
    assert named == {
        f"/patients/{PATIENT_ID}/",
        f"/patients/{PATIENT_ID}/fresh",
        f"/patients/{PATIENT_ID}/notes",
        f"/patients/{PATIENT_ID}/notes/draft",
        f"https://bondi.au1.cliniko.com/patients/{PATIENT_ID}",
        "mailto:xanthippe.quetzal@example.com",
        "tel:0491570156",
    }


def test_task_messages_only_contain_the_schema_name(
    connected_cliniko: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(celery_app.amqp, "send_task_message", lambda *args, **options: sent.append((args[2], options)))
    Clinic.objects.update(sync_due_at="2020-01-01T00:00:00Z")
    tick()
    schemas = set(Clinic.objects.values_list("schema_name", flat=True))
    assert {str(message.body[1]) for message, _ in sent} == {str({"schema_name": schema}) for schema in schemas}
    assert {str(message.body[0]) for message, _ in sent} == {"()"}
    assert words_in(str(sent), *PERSONAL_DATA, PATIENT_ID, *KEY_FORMS, "bondi") == set()


def test_the_database_has_patients_only_in_patient_tables_and_no_plain_key(
    connected_cliniko: responses.RequestsMock,
    clinic_client: Browsers,
    same_staff: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser = clinic_client("bondi")
    use_the_clinic(browser, same_staff["reception"])
    cause_errors(browser, connected_cliniko, monkeypatch)
    call_command("clinic", "sync", "bondi", "--json")
    bondi, harbour = (Clinic.objects.get(label=label).schema_name for label in ("bondi", "harbour"))
    assert tables_containing(bondi, *PERSONAL_DATA) == {"sync_patient"}
    tables_with_ids = {"sync_patient", "sync_patientrefresh", "sync_cursor", "audit_event"}
    assert {"sync_patient", "audit_event"} <= tables_containing(bondi, PATIENT_ID) <= tables_with_ids
    for schema in ("public", harbour):
        assert tables_containing(schema, *PERSONAL_DATA, PATIENT_ID) == set()
    for schema in ("public", bondi, harbour):
        assert tables_containing(schema, *KEY_FORMS) == set()
    assert tables_containing(bondi, KEY.removesuffix("-au1")[-4:]) >= {"sync_connection"}  # shown on pages


def test_sessions_and_cache_keys_have_no_patient_data(
    connected_cliniko: responses.RequestsMock,
    clinic_client: Browsers,
    same_staff: dict[str, str],
) -> None:
    use_the_clinic(clinic_client("bondi"), same_staff["reception"])
    with clinic_context("bondi"), connection.cursor() as cursor:
        sessions = str([session.get_decoded() for session in Session.objects.all()])
        cursor.execute("SELECT cache_key, value FROM cache_entry")
        cached = str(cursor.fetchall())
    assert "_auth_user_id" in sessions
    assert "login" in cached
    assert words_in(sessions + cached, *PERSONAL_DATA, PATIENT_ID, *KEY_FORMS) == set()


def test_clinic_pages_never_show_the_key(connected_cliniko: responses.RequestsMock, staff_client: Browsers) -> None:
    for role in Role:
        browser = staff_client("bondi", role)
        for row in CLINIC_ROWS:
            if row.method == "GET" and row.route != "login":
                assert words_in(browser.get(row.path).content.decode(), *KEY_FORMS) == set()


def test_console_pages_never_show_the_key_or_the_patient(
    connected_cliniko: responses.RequestsMock, operator_client: Browsers
) -> None:
    for row in BASE_ROWS:
        if row.method == "GET":
            page = operator_client("ana").get(row.path).content.decode()
            assert words_in(page, *KEY_FORMS, *PERSONAL_DATA, PATIENT_ID) == set()
            assert row.route != "ops/clinics/<slug:label>/" or KEY.removesuffix("-au1")[-4:] in page


@pytest.mark.parametrize("options", [["--json"], []])
def test_commands_never_print_the_key(
    connected_cliniko: responses.RequestsMock,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
) -> None:
    set_key(monkeypatch, KEY, *options)
    call_command("clinic", "list", *options)
    call_command("clinic", "sync", "bondi", *options)
    call_command("clinic", "sync", "bondi", "--full", *options)
    call_command("clinic", "show", "bondi", *options)
    call_command("clinic", "doctor", "bondi", *options)
    call_command("clinic", "invite", "bondi", "--email", "new@clinic.example", *options)
    printed = capfd.readouterr()
    assert "bondi" in printed.out
    assert KEY.removesuffix("-au1")[-4:] in printed.out
    assert words_in(printed.out + printed.err, *KEY_FORMS, *PERSONAL_DATA) == set()


def test_an_export_has_the_patient_but_not_the_key(
    connected_cliniko: responses.RequestsMock,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    log_output: io.StringIO,
    tmp_path: Path,
) -> None:
    call_command("clinic", "sync", "bondi", "--json")
    with clinic_context("bondi"):
        sealed = Connection.objects.get().sealed_key
    monkeypatch.setattr(archive, "SET_SNAPSHOT", "SELECT 1")  # a test's transaction has already begun
    call_command("clinic", "export", "bondi", "--to", str(tmp_path / "all.zip"))
    with ZipFile(tmp_path / "all.zip") as archive_file:
        content = "".join(archive_file.read(name).decode() for name in archive_file.namelist())
    assert words_in(content, "xanthippe", PATIENT_ID) == {"xanthippe", PATIENT_ID}
    assert words_in(content, *KEY_FORMS, sealed, sealed[:40]) == set()
    printed = capfd.readouterr()
    assert "patients: 2" in printed.out  # patient 42 is there too
    assert words_in(printed.out + printed.err + log_output.getvalue(), *KEY_FORMS, *PERSONAL_DATA, PATIENT_ID) == set()


@pytest.mark.parametrize(
    ("key", "status"),
    [(KEY, 401), (KEY, 403), (KEY, 500), (f"{KEY} pasted twice", 200), (f"{KEY}\x00", 200), ("", 200)],
)
def test_the_error_for_a_refused_key_does_not_contain_it(
    same_staff: dict[str, str],
    canary_cliniko: responses.RequestsMock,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    status: int,
) -> None:
    canary_cliniko.replace(responses.GET, f"{API}/user", status=status, body=f"Bad key {KEY}")
    with pytest.raises(SystemExit) as stopped:
        set_key(monkeypatch, key)
    printed = capfd.readouterr()
    assert stopped.value.code == 1
    assert printed.err.count("\n") == 1
    assert words_in(printed.out + printed.err, *KEY_FORMS) == set()


PASTED = "PastedKeyThatNobodyMaySee0123456789-au1"


@pytest.mark.parametrize("status", [200, 401, 403, 429, 500])
def test_a_pasted_key_appears_nowhere(
    connected_cliniko: responses.RequestsMock,
    staff_client: Browsers,
    log_output: io.StringIO,
    status: int,
) -> None:
    forms = {PASTED, PASTED.removesuffix("-au1"), b64encode(f"{PASTED}:".encode()).decode().rstrip("=")[:-1]}
    if status != 200:
        connected_cliniko.replace(responses.GET, f"{API}/user", status=status, body=f"Bad key {PASTED}")
    browser = staff_client("bondi", Role.OWNER)
    output = "".join(
        str(response.headers) + response.content.decode()
        for response in (
            browser.post("/settings/key", {"key": PASTED}),
            browser.get("/welcome"),
            browser.get("/settings/key"),
        )
    )
    assert words_in(output + log_output.getvalue(), *forms) == set()
    for schema in ("public", *Clinic.objects.values_list("schema_name", flat=True)):
        assert tables_containing(schema, *forms) == set()


def test_an_internal_error_during_a_key_check_does_not_reveal_the_key(
    connected_cliniko: responses.RequestsMock,
    staff_client: Browsers,
    log_output: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError(PASTED)

    monkeypatch.setattr("sync.connection.connect._store", fail)
    browser = staff_client("bondi", Role.OWNER)
    browser.raise_request_exception = False
    response = browser.post("/settings/key", {"key": PASTED})
    assert response.status_code == 500
    assert words_in(response.content.decode() + log_output.getvalue(), PASTED) == set()


def test_a_redirect_to_another_host_does_not_get_the_key(
    connected_cliniko: responses.RequestsMock, staff_client: Browsers
) -> None:
    other_host = connected_cliniko.get("https://evil.example/patients", json=CANARY)
    connected_cliniko.get(f"{API}/patients/99", status=302, headers={"Location": "https://evil.example/patients"})
    assert staff_client("bondi").get("/patients/99/").status_code == 503
    assert other_host.call_count == 0


# --- Markup ----------------------------------------------------------------------------------------------------------

HOSTILE = """x'"></textarea></title><script>alert(1)</script><x-canary onclick="alert(1)" style="x">{{ 7 }}"""


class Elements(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def hostile(value: Any, name: str = "") -> Any:
    """Return the payload with markup in every free text."""
    if isinstance(value, dict):
        return {key: hostile(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [hostile(each, name) for each in value]
    unchanged = name in ("id", "self", "type") or name.endswith(("_at", "_of_birth"))
    return value if unchanged or not isinstance(value, str | None) else HOSTILE


def test_markup_in_clinikos_data_is_escaped(same_staff: dict[str, str], staff_client: Browsers) -> None:
    fields: list[dict[str, Any]] = [{"name": "x", "type": kind, "value": "x"} for kind in ("text", "paragraph")]
    fields.append({"name": "x", "type": "checkboxes", "options": [{"name": "x", "selected": True}]})
    extra = {"notes": "x", "pronouns": {"nominative": "x"}, "occupation": "x", "emergency_contact": "x"}
    extra |= {"appointment_notes": "x", "referral_source": "x", "gender_identity": "x", "concession_type": "x"}
    patient = hostile(
        patient_payload("42") | extra | {"custom_fields": {"sections": [{"name": "x", "fields": fields}]}}
    )
    appointments = [
        hostile(appointment_payload("1", "42", "2026-03-01T09:00:00Z", notes="x")),
        hostile(appointment_payload("2", "42", "2099-03-01T09:00:00Z", notes="x")),
        hostile(appointment_payload("3", "42", "2026-03-01T09:00:00Z", cancellation_reason_description="x"))
        | {"cancelled_at": "2026-02-01T00:00:00Z"},
    ]
    reference = hostile(
        {"id": "1", "first_name": "x", "last_name": "x", "display_name": "x", "business_name": "x", "name": "x"}
    )
    reference |= {"created_at": "2024-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    payloads = {
        "patients": [patient],
        "medical_alerts": [hostile(alert_payload("1", "42", "x"))],
        "individual_appointments": appointments,
        "group_appointments": [hostile(class_payload("9", "2026-03-02T09:00:00Z", notes="x"))],
        "attendees": [hostile(attendee_payload("1", "42", "9", notes="x"))],
        "practitioners": [reference],
        "businesses": [reference],
        "appointment_types": [reference],
    }
    browser = staff_client("bondi", "owner")
    assert Elements(browser.get("/patients/42/").content.decode()).tags.count("script") == 4
    with clinic_context("bondi"):
        for resource in RESOURCES:
            assert write_page(resource, payloads[resource.name], sequence=next_sequence()) == len(
                payloads[resource.name]
            )
    pages = [
        browser.get("/patients/42/"),
        browser.get("/"),
        browser.post("/search", {"text": "script"}),
        browser.post("/search", {"text": HOSTILE}),
    ]
    for page in pages:
        assert page.status_code == 200
        text = page.content.decode()
        elements = Elements(text)
        assert "&lt;x-canary" in text
        assert "x-canary" not in elements.tags
        assert elements.tags.count("script") == (4 if page is pages[0] else 3)
        assert {"onclick", "style"} & elements.attributes == set()
    assert pages[0].content.decode().count("&lt;x-canary") >= 25


def test_markup_in_clinic_and_staff_names_is_escaped(
    same_staff: dict[str, str], staff_client: Browsers, clinic_client: Browsers
) -> None:
    Clinic.objects.filter(label="bondi").update(name=HOSTILE)
    browser = staff_client("bondi", "owner")
    with clinic_context("bondi"):
        User.objects.update(name=HOSTILE)
    pages = [browser.get(path) for path in ("/", "/settings/", "/settings/staff/", "/patients/42/")]
    pages += [clinic_client("bondi").get(path) for path in ("/login", "/password/reset/", "/nothing")]
    for page in pages:
        elements = Elements(page.content.decode())
        assert "&lt;x-canary" in page.content.decode()
        assert "x-canary" not in elements.tags
        assert {"onclick", "style"} & elements.attributes == set()
