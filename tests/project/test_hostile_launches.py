"""Launches that somebody else wrote: what a stranger learns, where a browser ends, and that nothing breaks.

The addresses of a launch, its ids and its methods, one by one, are in tests/launch.
"""

import re
import time
from collections.abc import Callable
from urllib.parse import quote, urlencode, urlsplit

import pytest
import responses
from django.contrib.messages import get_messages
from django.test import Client

from accounts import tickets
from accounts.models import User
from accounts.views.sign_in import TICKET_EXPIRED
from audit.models import Event
from sync.cliniko.client import ApiKey
from sync.connection import state as connection_state
from sync.connection.sealing import seal
from sync.models import Patient, PatientRefresh
from tenants.context import clinic_context
from tests.conftest import PASSWORD
from tests.payloads import API
from tests.project.conftest import ADA

Browsers = Callable[..., Client]
WHO = {"login": "reception@clinic.example", "password": PASSWORD}
EXISTING, ARCHIVED, MERGED, DELETED, UNKNOWN = "42", "43", "44", "45", "1713650742029190531"
OF_THE_MOMENT = {"Location", "X-Request-ID", "Expires"}

ELSEWHERE = [
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https:/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\t/evil.example",
    "\x00//evil.example",
    "/%0d%0aLocation:%20https://evil.example",
    "/\r\nSet-Cookie: a=b",
    "https://bondi.localhost@evil.example/",
    "https://evil.example\\@bondi.localhost/",
    "https://evil。example/",
    "//evil．example",
    "https://harbour.localhost:8000/",
    "http://localhost/ops/",
    "/" + "x" * 20_000,
]


@pytest.fixture(autouse=True)
def people(alike: dict[str, str], add_patient: Callable[..., str], settings: object) -> None:
    """At bondi one of each: there, archived, merged and deleted; and a stored key, so that Cliniko could be asked."""
    long_ago = "2026-01-01T00:00:00Z"
    survivor = {"links": {"self": f"{API}/patients/{EXISTING}"}}
    add_patient("bondi", ARCHIVED, archived_at=long_ago)
    add_patient("bondi", MERGED, archived_at=long_ago, merged_with_patient=survivor)
    add_patient("bondi", DELETED, deleted_at=long_ago)
    with clinic_context("bondi") as clinic:
        held = connection_state.load()
        held.sealed_key = seal(ApiKey("only-for-tests-au1"), clinic=clinic.schema_name, keys=settings.SEALING_KEYS)  # type: ignore[attr-defined]
        held.shard = "au1"
        held.save()


def alike_but_for_its_secrets(page: str) -> str:
    page = re.sub(r'(name="(?:t|csrfmiddlewaretoken)" value="|nonce="|[?]t=)[^"]*', r"\1…", page)
    return re.sub(r"nonce-[^']+", "nonce-…", page)


@pytest.mark.parametrize("address", ["/patients?patient_id={}", "/patients/?patient_id={}", "/patients/{}/"])
def test_a_stranger_cannot_tell_patients_apart_up_to_the_sign_in_page(
    clinic_client: Browsers, no_cliniko: responses.RequestsMock, address: str
) -> None:
    seen = set()
    for patient_id in (EXISTING, ARCHIVED, MERGED, DELETED, UNKNOWN, "9" * 20):
        browser = clinic_client("bondi")
        launched = browser.get(address.format(patient_id))
        page = browser.get(launched["Location"])
        for answer in (launched, page):
            headers = {name: value for name, value in answer.items() if name not in OF_THE_MOMENT}
            body = alike_but_for_its_secrets(answer.content.decode())
            seen.add((answer.status_code, alike_but_for_its_secrets(str(headers)), str(sorted(answer.cookies)), body))
        assert len(launched["Location"]) == len(clinic_client("bondi").get(address.format(EXISTING))["Location"])
        assert len(patient_id) < 10 or patient_id not in launched["Location"] + page.content.decode()
    assert len(seen) == 2
    assert len(no_cliniko.calls) == 0
    with clinic_context("bondi"):
        assert not Event.objects.exists()
        assert not PatientRefresh.objects.exists()


def test_an_id_that_cliniko_does_not_know_leaves_only_who_looked(
    staff_client: Browsers, no_cliniko: responses.RequestsMock
) -> None:
    no_cliniko.get(f"{API}/patients/{UNKNOWN}", status=404)
    answer = staff_client("bondi").get(f"/patients?patient_id={UNKNOWN}", follow=True)
    assert answer.status_code == 404
    assert "not in your clinic" in answer.content.decode()
    assert len(no_cliniko.calls) == 1
    with clinic_context("bondi"):
        assert list(Event.objects.values_list("action", "patient_id")) == [("not_found", UNKNOWN)]
        assert not PatientRefresh.objects.exists()
        assert not Patient.objects.filter(cliniko_id=UNKNOWN).exists()


@pytest.mark.parametrize("elsewhere", ELSEWHERE, ids=lambda value: ascii(value)[:40])
def test_no_parameter_leads_off_this_host(clinic_client: Browsers, elsewhere: str) -> None:
    browser = clinic_client("bondi")
    given = dict.fromkeys(["next", "t", "redirect_to", "return", "url"], elsewhere)
    launched = browser.get("/patients", {"patient_id": EXISTING} | given)
    page = browser.get("/login", given)
    assert launched["Location"].startswith("/login?t=")
    assert "evil." not in launched["Location"] + page.content.decode()
    landed = browser.post(f"/login?{urlencode(given)}", WHO | given)
    assert landed["Location"] == "/"
    assert browser.get("/login", given)["Location"] == "/"
    assert browser.get("/patients", {"patient_id": EXISTING} | given)["Location"] == f"/patients/{EXISTING}/"
    assert browser.post("/logout", given)["Location"] == "/login"


@pytest.mark.parametrize(
    "path", ["//evil.example/", "///evil.example/patients", "/\\evil.example/", "//evil.example//"]
)
def test_no_path_leads_off_this_host(clinic_client: Browsers, staff_client: Browsers, path: str) -> None:
    for browser in (clinic_client("bondi"), staff_client("bondi")):
        answer = browser.generic("GET", "/", PATH_INFO=path)
        assert (answer.status_code, answer.get("Location")) == (404, None)


def test_a_host_that_claims_to_be_another_changes_no_address(clinic_client: Browsers) -> None:
    answer = clinic_client("bondi").get(
        "/patients?patient_id=42", headers={"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    )
    assert urlsplit(answer["Location"]).netloc == ""


def expired() -> str:
    return tickets.issue("/patients/42/", now=time.time() - tickets.LIFETIME_SECONDS - 1)


def tampered() -> str:
    ticket = tickets.issue("/patients/42/")
    middle = len(ticket) // 2
    return ticket[:middle] + ("A" if ticket[middle] != "A" else "B") + ticket[middle + 1 :]


def cut() -> str:
    return tickets.issue("/patients/42/")[:-20]


@pytest.mark.parametrize("make", [expired, tampered, cut])
def test_a_ticket_that_does_not_count_leads_home_with_a_word_and_to_no_patient(
    clinic_client: Browsers, make: Callable[[], str]
) -> None:
    with clinic_context("bondi"):
        ticket = make()
    browser = clinic_client("bondi")
    assert browser.get("/login", {"t": ticket}).status_code == 200
    answer = browser.post("/login", WHO | {"t": ticket})
    assert answer["Location"] == "/"
    assert TICKET_EXPIRED in [str(message) for message in get_messages(answer.wsgi_request)]
    assert ADA not in browser.get("/").content.decode()


def test_a_ticket_serves_nobody_after_sign_out(clinic_client: Browsers) -> None:
    browser = clinic_client("bondi")
    ticket = browser.get("/patients/42/")["Location"].partition("t=")[2]
    assert browser.post("/login", WHO | {"t": ticket})["Location"] == "/patients/42/"
    browser.post("/logout")
    assert browser.post("/login", WHO | {"t": ticket})["Location"] == "/"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("signed_in", [True, False])
def test_only_get_and_head_are_taken_whatever_token_comes_along(
    csrf_client: Browsers, staff_client: Browsers, method: str, signed_in: bool
) -> None:
    browser = csrf_client("bondi")
    if signed_in:
        browser.cookies["sessionid"] = staff_client("bondi").cookies["sessionid"].value
    answer = browser.generic(method, "/patients?patient_id=42")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    with clinic_context("bondi"):
        assert not Event.objects.exists()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers",
    [{"Sec-Purpose": "prefetch;prerender"}, {"Sec-Fetch-Dest": "image"}, {"Sec-Fetch-Dest": "iframe"}],
    ids=str,
)
def test_another_website_learns_nothing_by_fetching(
    staff_client: Browsers,
    clinic_client: Browsers,
    no_cliniko: responses.RequestsMock,
    method: str,
    headers: dict[str, str],
) -> None:
    seen = set()
    for browser in (staff_client("bondi"), clinic_client("bondi")):
        for patient_id in (EXISTING, UNKNOWN):
            answer = browser.generic(method, f"/patients?patient_id={patient_id}", headers=headers)
            seen.add((answer.status_code, answer.content, answer.get("Location")))
    assert seen == {(403, b"", None)}
    assert len(no_cliniko.calls) == 0
    with clinic_context("bondi"):
        assert not Event.objects.exists()


def test_neighbours_that_a_javascript_number_merges_stay_two_people(
    staff_client: Browsers, add_patient: Callable[..., str]
) -> None:
    people = {"9007199254740992": "Even Evans", "9007199254740993": "Odette Odd"}
    for patient_id, name in people.items():
        first, last = name.split()
        add_patient("bondi", patient_id, first_name=first, last_name=last)
    browser = staff_client("bondi")
    for patient_id, name in people.items():
        (other,) = set(people.values()) - {name}
        page = browser.get(f"/patients?patient_id={patient_id}", follow=True).content.decode()
        found = browser.post("/search", {"text": patient_id}).content.decode()
        assert name in page
        assert name in found
        assert other not in page + found
    with clinic_context("bondi"):
        assert set(Event.objects.filter(action="viewed").values_list("patient_id", flat=True)) == set(people)


@pytest.mark.parametrize(
    "odd",
    ["0", "042", "+42", "-1", "42.0", "4e1", "9" * 21, "9" * 5000, "٤٢", "４２", "42\x00", "%ff", "..", "<b>", "42 "],
    ids=ascii,
)
@pytest.mark.parametrize("signed_in", [True, False])
def test_an_odd_id_in_the_address_is_a_friendly_404(
    staff_client: Browsers, clinic_client: Browsers, odd: str, signed_in: bool
) -> None:
    browser = staff_client("bondi") if signed_in else clinic_client("bondi")
    answer = browser.get(f"/patients/{odd if odd == '%ff' else quote(odd)}/")
    assert answer.status_code == 404
    assert "Page not found" in answer.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "patient_id=" + "9" * 100_000,
        "patient_id",
        "patient_id=%",
        "patient_id=%00",
        "patient_id[]=42",
        "PATIENT_ID=42",
        "patient_id=42&patient_id=",
        "patient_id=%F0%9F%92%A9",
        "patient_id=42%0A",
        "&" * 999,
    ],
    ids=lambda query: query[:30],
)
def test_a_huge_or_broken_launch_is_a_friendly_400(staff_client: Browsers, query: str) -> None:
    answer = staff_client("bondi").get(f"/patients?{query}")
    assert answer.status_code == 400
    assert "<h1>Which patient do you want to open?</h1>" in answer.content.decode()


def test_too_many_parameters_are_a_friendly_400(staff_client: Browsers, clinic_client: Browsers) -> None:
    for browser in (staff_client("bondi"), clinic_client("bondi")):
        answer = browser.get("/patients?" + "a=1&" * 2000)
        assert answer.status_code == 400
        assert "could not be read" in answer.content.decode()


def test_who_is_switched_off_between_launch_and_sign_in_sees_nobody(clinic_client: Browsers) -> None:
    browser = clinic_client("bondi")
    ticket = browser.get("/patients/42/")["Location"].partition("t=")[2]
    with clinic_context("bondi"):
        User.objects.filter(email=WHO["login"]).update(is_active=False)
    assert browser.post("/login", WHO | {"t": ticket})["Location"] == "/inactive/"
    assert browser.get("/patients/42/").status_code == 302
