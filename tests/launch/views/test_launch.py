"""The launch: `GET /patients?patient_id=<id>`, sent by Cliniko's button or by anyone else."""

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
    "no parameter": "",
    "an empty ID": "?patient_id=",
    "two IDs": "?patient_id=42&patient_id=43",
    "the same ID twice": "?patient_id=42&patient_id=42",
    "another parameter": "?id=42",
    "letters": "?patient_id=abc",
    "a sign": "?patient_id=%2B42",
    "a leading zero": "?patient_id=042",
    "21 digits": f"?patient_id={'9' * 21}",
    "Arabic digits": "?patient_id=%D9%A4%D9%A2",
    "NUL": "?patient_id=42%00",
    "invalid UTF-8": "?patient_id=%FF%FE",
    "a path": "?patient_id=../42",
    "another host": "?patient_id=//evil.example",
    "markup": "?patient_id=<script>alert(1)</script>",
}


@pytest.mark.parametrize("path", ["/patients", "/patients/"])
def test_it_redirects_staff_to_the_patient(reception: Client, path: str) -> None:
    response = reception.get(path, {"patient_id": "42"})
    assert (response.status_code, response["Location"]) == (302, "/patients/42/")


def test_it_redirects_visitors_to_sign_in_with_a_ticket(
    two_clinics: None, clinic_client: Callable[[str], Client]
) -> None:
    response = clinic_client("bondi").get("/patients", {"patient_id": "42"})
    assert response.status_code == 302
    assert re.fullmatch(r"/login\?t=[A-Za-z0-9_-]+", response["Location"])


def test_visitors_learn_nothing_about_any_id(
    two_clinics: None,
    add_patient: Callable[..., str],
    clinic_client: Callable[[str], Client],
    cliniko: Cliniko,
) -> None:
    survivor = {"links": {"self": f"{API}/patients/42"}}
    add_patient("bondi", "43", archived_at="2026-01-01T00:00:00Z")
    add_patient("bondi", "44", archived_at="2026-01-01T00:00:00Z", merged_with_patient=survivor)
    responses, statements = set(), set()
    for patient_id in ("42", "43", "44", "99", "1713650742029190531"):
        with clinic_context("bondi"):
            ButtonClick.objects.all().delete()
        with CaptureQueriesContext(connection) as captured:
            response = clinic_client("bondi").get("/patients", {"patient_id": patient_id})
        statement = "\n".join(query["sql"] for query in captured.captured_queries)
        # The click, and no other table of launch or sync.
        assert set(re.findall('(?:FROM|INTO|UPDATE|JOIN) "((?:sync|launch)_[a-z]+)"', statement)) == {
            "launch_buttonclick"
        }
        statements.add(re.sub(r"'\d{4}-\d\d-\d\d [\d:.+]+'", "'…'", statement))
        headers = {name: value for name, value in response.items() if name not in ("Location", "X-Request-ID")}
        ticketless = re.sub(r"t=[\w-]+", "t=…", response["Location"])
        responses.add(
            (
                response.status_code,
                ticketless,
                len(response["Location"]),
                str(sorted(headers.items())),
                response.content,
            )
        )
    assert len(responses) == 1
    assert len(statements) == 1
    assert cliniko.requested == []


@pytest.mark.parametrize("query", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("path", ["/patients", "/patients/"])
def test_a_launch_without_a_valid_id_returns_400(reception: Client, path: str, query: str) -> None:
    response = reception.get(path + query)
    assert response.status_code == 400
    assert "Which patient do you want to open?" in response.content.decode()
    assert "Back to search" in response.content.decode()


@pytest.mark.parametrize("query", MALFORMED.values(), ids=MALFORMED.keys())
def test_visitors_get_the_same_400(two_clinics: None, clinic_client: Callable[[str], Client], query: str) -> None:
    response = clinic_client("bondi").get("/patients" + query)
    assert response.status_code == 400
    assert "Which patient do you want to open?" in response.content.decode()
    assert not response.cookies


def test_too_many_parameters_return_400(reception: Client) -> None:
    response = reception.get("/patients?" + "&".join(f"a{number}=1" for number in range(2000)))
    assert response.status_code == 400


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize("path", ["/patients", "/patients/"])
def test_it_allows_only_get_and_head(reception: Client, path: str, method: str) -> None:
    response = getattr(reception, method)(f"{path}?patient_id=42")
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


def test_head_is_answered_like_get(reception: Client) -> None:
    response = reception.head("/patients", {"patient_id": "42"})
    assert (response.status_code, response["Location"], response.content) == (302, "/patients/42/", b"")


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
def test_a_prefetch_gets_nothing(reception: Client, path: str, headers: dict[str, str], cliniko: Cliniko) -> None:
    response = reception.get(path, headers=headers)
    assert (response.status_code, response.content) == (403, b"")
    assert access_log("bondi") == []
    assert cliniko.requested == []


def test_a_click_in_a_browser_is_accepted(reception: Client) -> None:
    response = reception.get(
        "/patients?patient_id=42", headers={"Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"}
    )
    assert response.status_code == 302


def test_it_writes_no_entry_and_does_not_ask_cliniko(reception: Client, cliniko: Cliniko) -> None:
    reception.get("/patients", {"patient_id": "99"})
    assert access_log("bondi") == []
    assert cliniko.requested == []


def test_the_same_browser_must_sign_in_at_the_other_clinic(reception: Client) -> None:
    response = reception.get("/patients", {"patient_id": "42"}, headers={"Host": "harbour.localhost"})
    assert response["Location"].startswith("/login?t=")


def test_the_launched_patient_opens_after_sign_in(
    two_clinics: None, clinic_client: Callable[[str], Client], staff_member: Callable[..., object]
) -> None:
    staff_member("bondi")
    browser = clinic_client("bondi")
    to_sign_in = browser.get("/patients", {"patient_id": "42"})["Location"]
    ticket = to_sign_in.partition("?t=")[2]
    response = browser.post(
        "/login", {"login": "reception@clinic.example", "password": "correct horse 42", "t": ticket}, follow=True
    )
    assert response.redirect_chain[-1][0] == "/patients/42/"
    assert "Ada Lindqvist" in response.content.decode()
