"""What staff write, type, look for and uncover goes through the house too, and is found only where it belongs."""

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
from tests.project.test_secrets import CANARY, PATIENT_ID, PERSON, cliniko, connected, found_in, logs, tables_that_hold

__all__ = ["cliniko", "connected", "logs"]

NOTE, TYPED, SOUGHT, ALERT, CARD = "Fjordlicht", "Krummholz", "Yggdrasil", "Ytterbium", "2998 41560 2"
WORDS = {NOTE, TYPED, SOUGHT, ALERT, CARD, CARD.replace(" ", "")}
PATIENT = f"/patients/{PATIENT_ID}"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def browser(connected: responses.RequestsMock, staff_client: Callable[..., Client]) -> Client:
    """Bondi's owner, where the canary patient has an alert and a card number that staff may uncover."""
    held = {
        "patients": CANARY | {"medicare": CARD},
        "medical_alerts": alert_payload("7", PATIENT_ID, ALERT),
    }
    with clinic_context("bondi"):
        ClinicSettings.objects.create(id=1, shows_card_numbers=True)
        for resource in RESOURCES:
            if resource.name in held:
                write_page(resource, [held[resource.name]], sequence=next_sequence())
    return staff_client("bondi", "owner")


def opened(browser: Client) -> tuple[str, Any]:
    page = browser.get(f"{PATIENT}/")
    view = re.search(r'name="view" value="(\d+)"', page.content.decode())
    assert view
    return view[1], page


def a_day_with_words(browser: Client) -> list[Any]:
    """Write, edit, type, pin, delete, uncover, look for, read the log and take it away; all the answers."""
    view, page = opened(browser)
    answers = [page, browser.post(f"{PATIENT}/notes", {"view": view, "text": NOTE}, headers=HTMX)]
    note = re.findall(r"/notes/(\d+)/pin", answers[-1].content.decode())[0]
    steps: list[tuple[str, dict[str, str]]] = [
        (f"notes/{note}", {"text": f"{NOTE} again", "version": "1"}),
        (f"notes/{note}", {"text": f"{NOTE} too late", "version": "1"}),
        (f"notes/{note}/pin", {"pinned": "yes"}),
        (f"notes/{note}/delete", {}),
        (f"notes/{note}/restore", {}),
        ("notes/draft", {"text": TYPED}),
        ("card-numbers", {}),
        ("access/csv", {}),
        ("access/pack", {}),
    ]
    answers += [browser.post(f"{PATIENT}/{path}", {"view": view} | form, headers=HTMX) for path, form in steps]
    answers += [browser.post("/search", {"text": text}) for text in (SOUGHT, f"{SOUGHT} Xanthippe", "Xanthippe")]
    answers += [browser.get(path) for path in (f"{PATIENT}/", f"{PATIENT}/access", "/settings/access", "/settings/")]
    assert {answer.status_code for answer in answers} == {200, 204}
    return answers


def failing(browser: Client, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Each of these fails while it holds the words, and says them; all the answers."""
    browser.raise_request_exception = False
    view, _ = opened(browser)

    def fail(*held: object, **named: object) -> None:
        words = sorted(WORDS)  # a local, which careless tracebacks show
        raise ValueError(f"{words} {held} {named} {CANARY}")

    answers = []
    for what, path, form in (
        ("launch.notes.write", f"{PATIENT}/notes", {"text": NOTE}),
        ("launch.drafts.save", f"{PATIENT}/notes/draft", {"text": TYPED}),
        ("launch.subject_access.build_zip", f"{PATIENT}/access/pack", {}),
        ("launch.access_log.page", f"{PATIENT}/access", None),
        ("sync.read.patients.search", "/search", {"text": SOUGHT}),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(what, fail)
            answers.append(browser.get(path) if form is None else browser.post(path, {"view": view} | form))
    return answers


def test_no_log_line_holds_the_words(
    browser: Client, logs: io.StringIO, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a_day_with_words(browser)
    failing(browser, monkeypatch)
    said, printed = logs.getvalue(), capfd.readouterr()
    for event in ('"request"', '"request_failed"', "/notes/draft", "/access/pack"):
        assert event in said
    assert found_in(said + printed.out + printed.err, *WORDS, *PERSON, PATIENT_ID) == set()


def test_no_error_page_holds_the_words(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = failing(browser, monkeypatch)
    assert [answer.status_code for answer in answers] == [500] * len(answers)
    for answer in answers:
        assert found_in(answer.content.decode() + str(answer.headers), *WORDS, *PERSON, PATIENT_ID) == set()


def test_no_address_and_no_header_holds_the_words(browser: Client) -> None:
    for answer in a_day_with_words(browser):
        assert found_in(str(answer.headers), *WORDS, *PERSON) == set()
        if not answer.streaming and answer["Content-Type"].startswith("text/html"):
            page = answer.content.decode()
            links = re.findall(r'(?:href|action|formaction|hx-post|hx-get|src)="([^"]*)"', page)
            links = [link for link in links if not link.startswith(("mailto:", "tel:"))]
            assert found_in(" ".join(links), *WORDS, *PERSON) == set()


def test_the_database_holds_the_words_where_they_belong(browser: Client) -> None:
    a_day_with_words(browser)
    bondi, harbour = (Clinic.objects.get(label=label).schema_name for label in ("bondi", "harbour"))
    assert tables_that_hold(bondi, NOTE) == {"launch_note", "launch_noteversion", "launch_draft"}
    assert tables_that_hold(bondi, TYPED) == {"launch_draft"}
    assert tables_that_hold(bondi, ALERT) == {"sync_medicalalert"}
    assert tables_that_hold(bondi, CARD) == {"sync_patient"}
    assert tables_that_hold(bondi, SOUGHT) == set()
    for schema in ("public", harbour):
        assert tables_that_hold(schema, *WORDS, *PERSON, PATIENT_ID) == set()


def test_no_session_and_no_cache_key_holds_the_words(browser: Client) -> None:
    a_day_with_words(browser)
    with clinic_context("bondi"), connection.cursor() as cursor:
        sessions = str([session.get_decoded() for session in Session.objects.all()])
        cursor.execute("SELECT cache_key, value FROM cache_entry")
        cached = str(cursor.fetchall())
    assert "_auth_user_id" in sessions
    assert found_in(sessions + cached, *WORDS, *PERSON, PATIENT_ID) == set()


def test_only_whom_it_is_for_is_shown_the_card_number(browser: Client) -> None:
    shown = [answer for answer in a_day_with_words(browser) if not answer.streaming and CARD in str(answer.content)]
    assert [answer.request["PATH_INFO"] for answer in shown] == [f"{PATIENT}/card-numbers"]
