"""Notes, drafts, searches and card numbers are found only where they belong."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
import responses
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from launch.models import ClinicSettings
from sync.resources import RESOURCES
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.payloads import alert_payload
from tests.project.canary import CANARY, PATIENT_ID, PERSONAL_DATA, words_in
from tests.sql import tables_containing

NOTE, DRAFT, SEARCH, ALERT, CARD = "Fjordlicht", "Krummholz", "Yggdrasil", "Ytterbium", "2998 41560 2"
WORDS = {NOTE, DRAFT, SEARCH, ALERT, CARD, CARD.replace(" ", "")}
PATIENT = f"/patients/{PATIENT_ID}"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def browser(connected_cliniko: responses.RequestsMock, staff_client: Callable[..., Client]) -> Client:
    """Return bondi's owner's client; the canary patient has an alert and a card number that staff may reveal."""
    records = {
        "patients": CANARY | {"medicare": CARD},
        "medical_alerts": alert_payload("7", PATIENT_ID, ALERT),
    }
    with clinic_context("bondi"):
        ClinicSettings.objects.create(id=1, shows_card_numbers=True)
        for resource in RESOURCES:
            if resource.name in records:
                write_page(resource, [records[resource.name]], sequence=next_sequence())
    return staff_client("bondi", "owner")


def open_patient(browser: Client) -> tuple[str, Any]:
    page = browser.get(f"{PATIENT}/")
    view = re.search(r'name="view" value="(\d+)"', page.content.decode())
    assert view
    return view[1], page


def use_staff_text(browser: Client) -> list[Any]:
    """Use notes, drafts, card numbers, search and the access log, and return all responses."""
    view, page = open_patient(browser)
    all_responses = [page, browser.post(f"{PATIENT}/notes", {"view": view, "text": NOTE}, headers=HTMX)]
    note = re.findall(r"/notes/(\d+)/pin", all_responses[-1].content.decode())[0]
    steps: list[tuple[str, dict[str, str]]] = [
        (f"notes/{note}", {"text": f"{NOTE} edited", "version": "1"}),
        (f"notes/{note}", {"text": f"{NOTE} too late", "version": "1"}),
        (f"notes/{note}/pin", {"pinned": "yes"}),
        (f"notes/{note}/delete", {}),
        (f"notes/{note}/restore", {}),
        ("notes/draft", {"text": DRAFT}),
        ("card-numbers", {}),
        ("access/csv", {}),
        ("access/pack", {}),
    ]
    all_responses += [browser.post(f"{PATIENT}/{path}", {"view": view} | form, headers=HTMX) for path, form in steps]
    all_responses += [browser.post("/search", {"text": text}) for text in (SEARCH, f"{SEARCH} Xanthippe", "Xanthippe")]
    all_responses += [
        browser.get(path) for path in (f"{PATIENT}/", f"{PATIENT}/access", "/settings/access", "/settings/")
    ]
    assert {response.status_code for response in all_responses} == {200, 204}
    return all_responses


def cause_errors(browser: Client, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Make views fail with the words in their errors, and return all responses."""
    browser.raise_request_exception = False
    view, _ = open_patient(browser)

    def fail(*args: object, **kwargs: object) -> None:
        words = sorted(WORDS)  # a local, which some tracebacks show
        raise ValueError(f"{words} {args} {kwargs} {CANARY}")

    all_responses = []
    for target, path, form in (
        ("launch.notes.write", f"{PATIENT}/notes", {"text": NOTE}),
        ("launch.drafts.save", f"{PATIENT}/notes/draft", {"text": DRAFT}),
        ("launch.subject_access.build_zip", f"{PATIENT}/access/pack", {}),
        ("launch.access_log.page", f"{PATIENT}/access", None),
        ("sync.read.patients.search", "/search", {"text": SEARCH}),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(target, fail)
            all_responses.append(browser.get(path) if form is None else browser.post(path, {"view": view} | form))
    return all_responses


def test_logs_have_no_staff_text(
    browser: Client, log_output: io.StringIO, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_staff_text(browser)
    cause_errors(browser, monkeypatch)
    output, printed = log_output.getvalue(), capfd.readouterr()
    for event in ('"request"', '"request_failed"', "/notes/draft", "/access/pack"):
        assert event in output
    assert words_in(output + printed.out + printed.err, *WORDS, *PERSONAL_DATA, PATIENT_ID) == set()


def test_error_pages_have_no_staff_text(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    all_responses = cause_errors(browser, monkeypatch)
    assert [response.status_code for response in all_responses] == [500] * len(all_responses)
    for response in all_responses:
        assert words_in(response.content.decode() + str(response.headers), *WORDS, *PERSONAL_DATA, PATIENT_ID) == set()


def test_urls_and_headers_have_no_staff_text(browser: Client) -> None:
    for response in use_staff_text(browser):
        assert words_in(str(response.headers), *WORDS, *PERSONAL_DATA) == set()
        if not response.streaming and response["Content-Type"].startswith("text/html"):
            page = response.content.decode()
            links = re.findall(r'(?:href|action|formaction|hx-post|hx-get|src)="([^"]*)"', page)
            links = [link for link in links if not link.startswith(("mailto:", "tel:"))]
            assert words_in(" ".join(links), *WORDS, *PERSONAL_DATA) == set()


def test_the_database_has_staff_text_only_in_its_tables(browser: Client) -> None:
    use_staff_text(browser)
    bondi, harbour = (Clinic.objects.get(label=label).schema_name for label in ("bondi", "harbour"))
    assert tables_containing(bondi, NOTE) == {"launch_note", "launch_noteversion", "launch_draft"}
    assert tables_containing(bondi, DRAFT) == {"launch_draft"}
    assert tables_containing(bondi, ALERT) == {"sync_medicalalert"}
    assert tables_containing(bondi, CARD) == {"sync_patient"}
    assert tables_containing(bondi, SEARCH) == set()
    for schema in ("public", harbour):
        assert tables_containing(schema, *WORDS, *PERSONAL_DATA, PATIENT_ID) == set()


def test_sessions_and_cache_keys_have_no_staff_text(browser: Client) -> None:
    use_staff_text(browser)
    with clinic_context("bondi"), connection.cursor() as cursor:
        sessions = str([session.get_decoded() for session in Session.objects.all()])
        cursor.execute("SELECT cache_key, value FROM cache_entry")
        cached = str(cursor.fetchall())
    assert "_auth_user_id" in sessions
    assert words_in(sessions + cached, *WORDS, *PERSONAL_DATA, PATIENT_ID) == set()


def test_only_the_reveal_request_returns_the_card_number(browser: Client) -> None:
    shown = [
        response for response in use_staff_text(browser) if not response.streaming and CARD in str(response.content)
    ]
    assert [response.request["PATH_INFO"] for response in shown] == [f"{PATIENT}/card-numbers"]
