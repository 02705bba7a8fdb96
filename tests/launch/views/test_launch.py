"""The launch: `GET /patients?patient_id=<id>`, made by Cliniko's button, and by anybody else who likes."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from launch.models import ButtonClick
from tenants.context import clinic_context
from tests.launch.conftest import Cliniko, access_log
from tests.payloads import API

MALFORMED = {
    "nobody named": "",
    "an empty name": "?patient_id=",
    "two names": "?patient_id=42&patient_id=43",
    "the same name twice": "?patient_id=42&patient_id=42",
    "another parameter": "?id=42",
    "letters": "?patient_id=abc",
    "a sign": "?patient_id=%2B42",
    "a leading zero": "?patient_id=042",
    "21 digits": f"?patient_id={'9' * 21}",
    "Arabic digits": "?patient_id=%D9%A4%D9%A2",
    "NUL": "?patient_id=42%00",
    "bytes that are no text": "?patient_id=%FF%FE",
    "a path": "?patient_id=../42",
    "another host": "?patient_id=//evil.example",
    "markup": "?patient_id=<script>alert(1)</script>",
}


@pytest.mark.parametrize("path", ["/patients", "/patients/"])
def test_it_leads_staff_to_the_patient(reception: Client, path: str) -> None:
    answer = reception.get(path, {"patient_id": "42"})
    assert (answer.status_code, answer["Location"]) == (302, "/patients/42/")


def test_it_leads_visitors_to_sign_in_with_a_ticket(two_clinics: None, clinic_client: Callable[[str], Client]) -> None:
    answer = clinic_client("bondi").get("/patients", {"patient_id": "42"})
    assert answer.status_code == 302
    assert re.fullmatch(r"/login\?t=[A-Za-z0-9_-]+", answer["Location"])


def test_visitors_learn_nothing_about_any_id(
    two_clinics: None,
    add_patient: Callable[..., str],
    clinic_client: Callable[[str], Client],
    cliniko: Cliniko,
) -> None:
    survivor = {"links": {"self": f"{API}/patients/42"}}
    add_patient("bondi", "43", archived_at="2026-01-01T00:00:00Z")
    add_patient("bondi", "44", archived_at="2026-01-01T00:00:00Z", merged_with_patient=survivor)
    answers, statements = set(), set()
    for patient_id in ("42", "43", "44", "99", "1713650742029190531"):
        with clinic_context("bondi"):
            ButtonClick.objects.all().delete()
        with CaptureQueriesContext(connection) as asked:
            answer = clinic_client("bondi").get("/patients", {"patient_id": patient_id})
        said = "\n".join(query["sql"] for query in asked.captured_queries)
        # That somebody clicked, and nothing else of this room or of the mirror.
        assert set(re.findall('(?:FROM|INTO|UPDATE|JOIN) "((?:sync|launch)_[a-z]+)"', said)) == {"launch_buttonclick"}
        statements.add(re.sub(r"'\d{4}-\d\d-\d\d [\d:.+]+'", "'…'", said))
        headers = {name: value for name, value in answer.items() if name not in ("Location", "X-Request-ID")}
        ticketless = re.sub(r"t=[\w-]+", "t=…", answer["Location"])
        answers.add(
            (answer.status_code, ticketless, len(answer["Location"]), str(sorted(headers.items())), answer.content)
        )
    assert len(answers) == 1
    assert len(statements) == 1
    assert cliniko.asked == []


@pytest.mark.parametrize("query", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("path", ["/patients", "/patients/"])
def test_a_launch_that_names_nobody_says_so(reception: Client, path: str, query: str) -> None:
    answer = reception.get(path + query)
    assert answer.status_code == 400
    assert "Which patient was this about?" in answer.content.decode()
    assert "Back to search" in answer.content.decode()


@pytest.mark.parametrize("query", MALFORMED.values(), ids=MALFORMED.keys())
def test_visitors_are_told_so_too(two_clinics: None, clinic_client: Callable[[str], Client], query: str) -> None:
    answer = clinic_client("bondi").get("/patients" + query)
    assert answer.status_code == 400
    assert "Which patient was this about?" in answer.content.decode()
    assert not answer.cookies


def test_a_thousand_parameters_are_a_refusal_and_no_failure(reception: Client) -> None:
    answer = reception.get("/patients?" + "&".join(f"a{number}=1" for number in range(2000)))
    assert answer.status_code == 400


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize("path", ["/patients", "/patients/"])
def test_it_takes_get_and_head_only(reception: Client, path: str, method: str) -> None:
    answer = getattr(reception, method)(f"{path}?patient_id=42")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


def test_it_answers_head_as_get(reception: Client) -> None:
    answer = reception.head("/patients", {"patient_id": "42"})
    assert (answer.status_code, answer["Location"], answer.content) == (302, "/patients/42/", b"")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Dest": "empty"},
    ],
)
@pytest.mark.parametrize("path", ["/patients?patient_id=42", "/patients/42/"])
def test_a_browser_that_only_fetches_ahead_gets_nothing(
    reception: Client, path: str, headers: dict[str, str], cliniko: Cliniko
) -> None:
    answer = reception.get(path, headers=headers)
    assert (answer.status_code, answer.content) == (403, b"")
    assert access_log("bondi") == []
    assert cliniko.asked == []


def test_a_click_in_a_browser_is_taken(reception: Client) -> None:
    answer = reception.get(
        "/patients?patient_id=42", headers={"Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 302


def test_it_writes_nothing_and_asks_cliniko_nothing(reception: Client, cliniko: Cliniko) -> None:
    reception.get("/patients", {"patient_id": "99"})
    assert access_log("bondi") == []
    assert cliniko.asked == []


def test_at_the_other_clinic_the_same_browser_has_to_sign_in(reception: Client) -> None:
    answer = reception.get("/patients", {"patient_id": "42"}, headers={"Host": "harbour.localhost"})
    assert answer["Location"].startswith("/login?t=")


def test_after_sign_in_the_launched_patient_is_there(
    two_clinics: None, clinic_client: Callable[[str], Client], staff_member: Callable[..., object]
) -> None:
    staff_member("bondi")
    browser = clinic_client("bondi")
    to_sign_in = browser.get("/patients", {"patient_id": "42"})["Location"]
    ticket = to_sign_in.partition("?t=")[2]
    answer = browser.post(
        "/login", {"login": "reception@clinic.example", "password": "correct horse 42", "t": ticket}, follow=True
    )
    assert answer.redirect_chain[-1][0] == "/patients/42/"
    assert "Ada Lindqvist" in answer.content.decode()
