"""A canary key and a canary patient go through the whole house, and are found afterwards only where they belong."""

import io
import logging
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import requests
import responses
import structlog
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from exports import archive
from saas.celery import app as celery_app
from sync.models import Connection, PatientRefresh
from sync.resources import RESOURCES, listings
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
from tests.project.url_table import AT_A_CLINIC, ON_THE_BASE_HOST

Browsers = Callable[..., Client]

KEY = "CanaryKeyThatNobodyMaySee0123456789-au1"
KEY_FORMS = {KEY, KEY.removesuffix("-au1"), b64encode(f"{KEY}:".encode()).decode().rstrip("=")[:-1]}
PATIENT_ID = "1713650742029190777"
CANARY = patient_payload(
    PATIENT_ID,
    first_name="Xanthippe",
    last_name="Quetzal",
    email="xanthippe.quetzal@example.com",
    notes="Zugzwang in the left knee",
    patient_phone_numbers=[{"phone_type": "Mobile", "number": "0491 570 156"}],
)
PERSON = {"xanthippe", "quetzal", "zugzwang", "0491 570 156", "0491570156", "491570156"}


def found_in(text: str, *words: str) -> set[str]:
    """Those of the words, in any case, that the text holds."""
    return {word for word in words if word.lower() in text.lower()}


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What our own handler writes to standard error, at the most talkative level."""
    root = logging.getLogger()
    (ours,) = [
        handler for handler in root.handlers if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)
    ]
    assert isinstance(ours, logging.StreamHandler)
    lines = io.StringIO()
    before, level = ours.setStream(lines), root.level
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(level)
    ours.setStream(before)


@pytest.fixture
def cliniko(no_cliniko: responses.RequestsMock) -> responses.RequestsMock:
    """Cliniko with the canary patient and nobody else."""
    no_cliniko.get(f"{API}/user", json={"first_name": "Kim", "last_name": "Key", "role": "administrator"})
    account = {"name": "Bondi Physio", "subdomain": "bondi", "time_zone": "Australia/Sydney"}
    no_cliniko.get(f"{API}/settings/public", json={"account": account})
    for listing in (each for resource in RESOURCES for each in listings(resource)):
        held = [CANARY] if listing.name == "patients" else []
        page = {listing.resource.name: held, "total_entries": len(held), "links": {}}
        no_cliniko.get(f"{API}/{listing.name}", json=page)
    no_cliniko.get(f"{API}/patients/{PATIENT_ID}", json=CANARY)
    no_cliniko.get(re.compile(rf"{API}/\w+/(1|42)$"), status=404)  # the cast is not in this account
    return no_cliniko


@pytest.fixture
def connected(
    alike: dict[str, str], cliniko: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> responses.RequestsMock:
    """Bondi with the canary key, stored as ops store it."""
    set_key(monkeypatch, KEY)
    return cliniko


def set_key(monkeypatch: pytest.MonkeyPatch, key: str, *words: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{key}\n"))
    call_command("clinic", "set-key", "bondi", "--key-stdin", *words)


def a_day_at_the_clinic(browser: Client, email: str) -> list[Any]:
    """Launch, sign in, see, search, refresh, open again, ask for nobody; all the answers."""
    launched = browser.get(f"/patients?patient_id={PATIENT_ID}")
    ticket = launched["Location"].partition("t=")[2]
    refused = browser.post("/login", {"login": email, "password": "wrong", "t": ticket})
    signed_in = browser.post("/login", {"login": email, "password": PASSWORD, "t": ticket})
    page = browser.get(signed_in["Location"])
    view = re.search(r'name="view" value="(\d+)"', page.content.decode())
    assert view
    with clinic_context("bondi"):
        PatientRefresh.objects.all().delete()  # as if some time had passed
    fresh = browser.post(f"/patients/{PATIENT_ID}/fresh", {"view": view[1]}, headers={"HX-Request": "true"})
    found = [browser.post("/search", {"text": text}) for text in ("xanthippe", "0491570156", PATIENT_ID)]
    again = browser.get(f"/patients?patient_id={PATIENT_ID}")
    nobody = browser.get("/patients/99/")
    return [launched, refused, signed_in, page, fresh, *found, again, browser.get("/"), browser.get("/search"), nobody]


def troubles(browser: Client, cliniko: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Everything that can go wrong says the canaries' names while it does; all the answers."""
    browser.raise_request_exception = False
    text = f"{KEY} {CANARY}"

    def fail(*_: object, **__: object) -> None:
        patient, key = CANARY, KEY  # locals, which careless tracebacks show
        raise ValueError(f"{key} {patient}")

    answers = [browser.get(f"/nothing/{PATIENT_ID}?name=Xanthippe"), browser.post(f"/patients/{PATIENT_ID}/")]
    for body in (requests.ConnectionError(text), requests.Timeout(text), "{", f'"{text}"'):
        cliniko.replace(responses.GET, f"{API}/patients/{PATIENT_ID}", body=body)
        with clinic_context("bondi"):
            PatientRefresh.objects.all().delete()
        answers.append(browser.get(f"/patients/{PATIENT_ID}/"))
    with monkeypatch.context() as patched:
        patched.setattr("sync.read.patients.get", fail)
        answers.append(browser.get(f"/patients/{PATIENT_ID}/?name=Xanthippe"))
        patched.setattr("sync.read.patients.search", fail)
        answers.append(browser.post("/search", {"text": "Xanthippe Quetzal"}))
    with monkeypatch.context() as patched:
        patched.setattr(walk_run, "run_slice", fail)
        schema = Clinic.objects.get(label="bondi").schema_name
        assert sync_clinic.apply(kwargs={"schema_name": schema}).failed()
    return answers


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_no_log_line_names_a_patient_or_a_key(
    connected: responses.RequestsMock,
    clinic_client: Browsers,
    alike: dict[str, str],
    logs: io.StringIO,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    level: str,
) -> None:
    logging.getLogger().setLevel(level)
    browser = clinic_client("bondi")
    a_day_at_the_clinic(browser, alike["reception"])
    troubles(browser, connected, monkeypatch)
    call_command("clinic", "sync", "bondi", "--json")
    said = logs.getvalue()
    for event in ('"request"', '"request_failed"', '"task_failed"', '"builtins.ValueError"', '"frames"'):
        assert event in said
    assert "patients/<cliniko_id:patient_id>/" in said
    printed = capfd.readouterr()
    assert found_in(said + printed.out + printed.err, *PERSON, PATIENT_ID, *KEY_FORMS, PASSWORD) == set()
    assert '"clinic": "bondi"' in said
    assert "?" not in "".join(re.findall(r'"route": "([^"]*)"', said))


@pytest.mark.parametrize("name", ["django.request", "django.server", "django.security.csrf", "celery.app.trace"])
def test_loggers_that_quote_addresses_and_arguments_are_silent(
    logs: io.StringIO, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    logging.getLogger(name).error("GET /patients?patient_id=%s", PATIENT_ID)
    logging.getLogger("some.library").error("heard")
    printed = capfd.readouterr()
    assert "heard" in logs.getvalue()
    assert PATIENT_ID not in logs.getvalue() + printed.out + printed.err


def test_no_error_page_names_a_patient_or_a_key(
    connected: responses.RequestsMock, staff_client: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = troubles(staff_client("bondi"), connected, monkeypatch)
    assert [answer.status_code for answer in answers] == [404, 405, 503, 503, 503, 503, 500, 500]
    for answer in answers:
        said = answer.content.decode().replace(f'href="/patients/{PATIENT_ID}/"', "") + str(answer.headers)
        assert found_in(said, *PERSON, PATIENT_ID, *KEY_FORMS) == set()


def test_no_address_names_a_patient_but_the_patients_own(
    connected: responses.RequestsMock, clinic_client: Browsers, alike: dict[str, str]
) -> None:
    answers = a_day_at_the_clinic(clinic_client("bondi"), alike["reception"])
    led_to = [
        answer[name] for answer in answers for name in ("Location", "HX-Redirect", "HX-Location") if name in answer
    ]
    assert led_to.count(f"/patients/{PATIENT_ID}/") == 2
    others = [address for address in led_to if address != f"/patients/{PATIENT_ID}/"]
    assert found_in(str(others), *PERSON, PATIENT_ID) == set()
    pages = "".join(answer.content.decode() for answer in answers)
    links = set(re.findall(r'(?:href|action|hx-post|src)="([^"]*)"', pages))
    named = {link for link in links if found_in(link, *PERSON, PATIENT_ID)}
    assert named == {
        f"/patients/{PATIENT_ID}/",
        f"/patients/{PATIENT_ID}/fresh",
        f"/patients/{PATIENT_ID}/notes",
        f"/patients/{PATIENT_ID}/notes/draft",
        f"https://bondi.au1.cliniko.com/patients/{PATIENT_ID}",
        "mailto:xanthippe.quetzal@example.com",
        "tel:0491570156",
    }


def test_a_task_message_names_its_clinics_schema_and_nothing_else(
    connected: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(celery_app.amqp, "send_task_message", lambda *args, **options: sent.append((args[2], options)))
    Clinic.objects.update(sync_due_at="2020-01-01T00:00:00Z")
    tick()
    schemas = set(Clinic.objects.values_list("schema_name", flat=True))
    assert {str(message.body[1]) for message, _ in sent} == {str({"schema_name": schema}) for schema in schemas}
    assert {str(message.body[0]) for message, _ in sent} == {"()"}
    assert found_in(str(sent), *PERSON, PATIENT_ID, *KEY_FORMS, "bondi") == set()


def tables_that_hold(schema: str, *words: str) -> set[str]:
    """The tables of a schema with a row that holds one of the words in any column, in any case."""
    holding = set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT EXISTS (SELECT FROM "{schema}"."{table}" AS held WHERE held::text ILIKE ANY (%s))',  # noqa: S608
                [[f"%{word}%" for word in words]],
            )
            if cursor.fetchone()[0]:
                holding.add(table)
    return holding


def test_the_database_holds_a_patient_where_patients_are_and_the_key_nowhere_in_clear(
    connected: responses.RequestsMock,
    clinic_client: Browsers,
    alike: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser = clinic_client("bondi")
    a_day_at_the_clinic(browser, alike["reception"])
    troubles(browser, connected, monkeypatch)
    call_command("clinic", "sync", "bondi", "--json")
    bondi, harbour = (Clinic.objects.get(label=label).schema_name for label in ("bondi", "harbour"))
    assert tables_that_hold(bondi, *PERSON) == {"sync_patient"}
    may_hold_ids = {"sync_patient", "sync_patientrefresh", "sync_cursor", "audit_event"}
    assert {"sync_patient", "audit_event"} <= tables_that_hold(bondi, PATIENT_ID) <= may_hold_ids
    for schema in ("public", harbour):
        assert tables_that_hold(schema, *PERSON, PATIENT_ID) == set()
    for schema in ("public", bondi, harbour):
        assert tables_that_hold(schema, *KEY_FORMS) == set()
    assert tables_that_hold(bondi, KEY.removesuffix("-au1")[-4:]) >= {"sync_connection"}  # what people are shown


def test_no_session_and_no_cache_key_names_a_patient(
    connected: responses.RequestsMock,
    clinic_client: Browsers,
    alike: dict[str, str],
) -> None:
    a_day_at_the_clinic(clinic_client("bondi"), alike["reception"])
    with clinic_context("bondi"), connection.cursor() as cursor:
        sessions = str([session.get_decoded() for session in Session.objects.all()])
        cursor.execute("SELECT cache_key, value FROM cache_entry")
        cached = str(cursor.fetchall())
    assert "_auth_user_id" in sessions
    assert "login" in cached
    assert found_in(sessions + cached, *PERSON, PATIENT_ID, *KEY_FORMS) == set()


def test_no_page_shows_the_key_to_anybody(connected: responses.RequestsMock, staff_client: Browsers) -> None:
    for role in Role:
        browser = staff_client("bondi", role)
        for row in AT_A_CLINIC:
            if row.method == "GET" and row.route != "login":
                assert found_in(browser.get(row.path).content.decode(), *KEY_FORMS) == set()


def test_no_page_of_the_console_shows_the_key_or_the_patient(
    connected: responses.RequestsMock, operator_client: Browsers
) -> None:
    for row in ON_THE_BASE_HOST:
        if row.method == "GET":
            page = operator_client("ana").get(row.path).content.decode()
            assert found_in(page, *KEY_FORMS, *PERSON, PATIENT_ID) == set()
            assert row.route != "ops/clinics/<slug:label>/" or KEY.removesuffix("-au1")[-4:] in page


@pytest.mark.parametrize("in_json", [["--json"], []])
def test_no_command_prints_the_key(
    connected: responses.RequestsMock,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    in_json: list[str],
) -> None:
    set_key(monkeypatch, KEY, *in_json)
    call_command("clinic", "list", *in_json)
    call_command("clinic", "sync", "bondi", *in_json)
    call_command("clinic", "sync", "bondi", "--full", *in_json)
    call_command("clinic", "show", "bondi", *in_json)
    call_command("clinic", "doctor", "bondi", *in_json)
    call_command("clinic", "invite", "bondi", "--email", "new@clinic.example", *in_json)
    printed = capfd.readouterr()
    assert "bondi" in printed.out
    assert KEY.removesuffix("-au1")[-4:] in printed.out
    assert found_in(printed.out + printed.err, *KEY_FORMS, *PERSON) == set()


def test_an_export_holds_the_patient_and_no_key_and_says_neither(
    connected: responses.RequestsMock,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    logs: io.StringIO,
    tmp_path: Path,
) -> None:
    call_command("clinic", "sync", "bondi", "--json")
    with clinic_context("bondi"):
        sealed = Connection.objects.get().sealed_key
    monkeypatch.setattr(archive, "SET_SNAPSHOT", "SELECT 1")  # a test's transaction began long ago
    call_command("clinic", "export", "bondi", "--to", str(tmp_path / "all.zip"))
    with ZipFile(tmp_path / "all.zip") as packed:
        content = "".join(packed.read(name).decode() for name in packed.namelist())
    assert found_in(content, "xanthippe", PATIENT_ID) == {"xanthippe", PATIENT_ID}
    assert found_in(content, *KEY_FORMS, sealed, sealed[:40]) == set()
    printed = capfd.readouterr()
    assert "patients: 2" in printed.out  # somebody of the cast is there too
    assert found_in(printed.out + printed.err + logs.getvalue(), *KEY_FORMS, *PERSON, PATIENT_ID) == set()


@pytest.mark.parametrize(
    ("key", "status"),
    [(KEY, 401), (KEY, 403), (KEY, 500), (f"{KEY} pasted twice", 200), (f"{KEY}\x00", 200), ("", 200)],
)
def test_a_refused_key_is_not_repeated(
    alike: dict[str, str],
    cliniko: responses.RequestsMock,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    status: int,
) -> None:
    cliniko.replace(responses.GET, f"{API}/user", status=status, body=f"Bad key {KEY}")
    with pytest.raises(SystemExit) as stopped:
        set_key(monkeypatch, key)
    printed = capfd.readouterr()
    assert stopped.value.code == 1
    assert printed.err.count("\n") == 1
    assert found_in(printed.out + printed.err, *KEY_FORMS) == set()


PASTED = "PastedKeyThatNobodyMaySee0123456789-au1"


@pytest.mark.parametrize("status", [200, 401, 403, 429, 500])
def test_a_key_pasted_on_the_page_is_repeated_nowhere(
    connected: responses.RequestsMock,
    staff_client: Browsers,
    logs: io.StringIO,
    status: int,
) -> None:
    forms = {PASTED, PASTED.removesuffix("-au1"), b64encode(f"{PASTED}:".encode()).decode().rstrip("=")[:-1]}
    if status != 200:
        connected.replace(responses.GET, f"{API}/user", status=status, body=f"Bad key {PASTED}")
    browser = staff_client("bondi", Role.OWNER)
    said = "".join(
        str(answer.headers) + answer.content.decode()
        for answer in (
            browser.post("/settings/key", {"key": PASTED}),
            browser.get("/welcome"),
            browser.get("/settings/key"),
        )
    )
    assert found_in(said + logs.getvalue(), *forms) == set()
    for schema in ("public", *Clinic.objects.values_list("schema_name", flat=True)):
        assert tables_that_hold(schema, *forms) == set()


def test_a_mistake_of_ours_while_a_key_is_tried_does_not_repeat_it(
    connected: responses.RequestsMock, staff_client: Browsers, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError(PASTED)

    monkeypatch.setattr("sync.connection.connect._store", fail)
    browser = staff_client("bondi", Role.OWNER)
    browser.raise_request_exception = False
    answer = browser.post("/settings/key", {"key": PASTED})
    assert answer.status_code == 500
    assert found_in(answer.content.decode() + logs.getvalue(), PASTED) == set()


def test_an_address_of_another_server_gets_no_key(connected: responses.RequestsMock, staff_client: Browsers) -> None:
    elsewhere = connected.get("https://evil.example/patients", json=CANARY)
    connected.get(f"{API}/patients/99", status=302, headers={"Location": "https://evil.example/patients"})
    assert staff_client("bondi").get("/patients/99/").status_code == 503
    assert elsewhere.call_count == 0


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
    """The same payload with markup in every text that people write."""
    if isinstance(value, dict):
        return {key: hostile(held, key) for key, held in value.items()}
    if isinstance(value, list):
        return [hostile(held, name) for held in value]
    kept = name in ("id", "self", "type") or name.endswith(("_at", "_of_birth"))
    return value if kept or not isinstance(value, str | None) else HOSTILE


def test_markup_in_everything_that_cliniko_sends_stays_text(alike: dict[str, str], staff_client: Browsers) -> None:
    fields: list[dict[str, Any]] = [{"name": "x", "type": kind, "value": "x"} for kind in ("text", "paragraph")]
    fields.append({"name": "x", "type": "checkboxes", "options": [{"name": "x", "selected": True}]})
    extra = {"notes": "x", "pronouns": {"nominative": "x"}, "occupation": "x", "emergency_contact": "x"}
    extra |= {"appointment_notes": "x", "referral_source": "x", "gender_identity": "x", "concession_type": "x"}
    person = hostile(patient_payload("42") | extra | {"custom_fields": {"sections": [{"name": "x", "fields": fields}]}})
    visits = [
        hostile(appointment_payload("1", "42", "2026-03-01T09:00:00Z", notes="x")),
        hostile(appointment_payload("2", "42", "2099-03-01T09:00:00Z", notes="x")),
        hostile(appointment_payload("3", "42", "2026-03-01T09:00:00Z", cancellation_reason_description="x"))
        | {"cancelled_at": "2026-02-01T00:00:00Z"},
    ]
    named = hostile(
        {"id": "1", "first_name": "x", "last_name": "x", "display_name": "x", "business_name": "x", "name": "x"}
    )
    named |= {"created_at": "2024-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    written = {
        "patients": [person],
        "medical_alerts": [hostile(alert_payload("1", "42", "x"))],
        "individual_appointments": visits,
        "group_appointments": [hostile(class_payload("9", "2026-03-02T09:00:00Z", notes="x"))],
        "attendees": [hostile(attendee_payload("1", "42", "9", notes="x"))],
        "practitioners": [named],
        "businesses": [named],
        "appointment_types": [named],
    }
    browser = staff_client("bondi", "owner")
    assert Elements(browser.get("/patients/42/").content.decode()).tags.count("script") == 4
    with clinic_context("bondi"):
        for resource in RESOURCES:
            assert write_page(resource, written[resource.name], sequence=next_sequence()) == len(written[resource.name])
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


def test_markup_in_names_of_clinic_and_staff_stays_text(
    alike: dict[str, str], staff_client: Browsers, clinic_client: Browsers
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
