"""Malicious launches reveal nothing, never redirect elsewhere, and never cause a server error.

The launch itself is tested in tests/launch.
"""

import re
import time
from collections.abc import Callable
from html import unescape
from itertools import product
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
CREDENTIALS = {"login": "reception@clinic.example", "password": PASSWORD}
EXISTING, ARCHIVED, MERGED, DELETED, UNKNOWN = "42", "43", "44", "45", "1713650742029190531"
CHANGING_HEADERS = {"Location", "X-Request-ID", "Expires"}

OTHER_HOSTS = [
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
def patients(same_staff: dict[str, str], add_patient: Callable[..., str], settings: object) -> None:
    """Add an active, an archived, a merged and a deleted patient to bondi, and a key, so that Cliniko can be called."""
    past = "2026-01-01T00:00:00Z"
    survivor = {"links": {"self": f"{API}/patients/{EXISTING}"}}
    add_patient("bondi", ARCHIVED, archived_at=past)
    add_patient("bondi", MERGED, archived_at=past, merged_with_patient=survivor)
    add_patient("bondi", DELETED, deleted_at=past)
    with clinic_context("bondi") as clinic:
        stored = connection_state.load()
        stored.sealed_key = seal(ApiKey("only-for-tests-au1"), clinic=clinic.schema_name, keys=settings.SEALING_KEYS)  # type: ignore[attr-defined]
        stored.shard = "au1"
        stored.save()


def without_secrets(page: str) -> str:
    page = re.sub(r'(name="(?:t|csrfmiddlewaretoken)" value="|nonce="|[?]t=)[^"]*', r"\1…", page)
    return re.sub(r"nonce-[^']+", "nonce-…", page)


@pytest.mark.parametrize("address", ["/patients?patient_id={}", "/patients/?patient_id={}", "/patients/{}/"])
def test_signed_out_visitors_cannot_tell_which_patients_exist(
    clinic_client: Browsers, cliniko_network: responses.RequestsMock, address: str
) -> None:
    seen = set()
    for patient_id in (EXISTING, ARCHIVED, MERGED, DELETED, UNKNOWN, "9" * 20):
        browser = clinic_client("bondi")
        launched = browser.get(address.format(patient_id))
        page = browser.get(launched["Location"])
        for response in (launched, page):
            headers = {name: value for name, value in response.items() if name not in CHANGING_HEADERS}
            body = without_secrets(response.content.decode())
            seen.add((response.status_code, without_secrets(str(headers)), str(sorted(response.cookies)), body))
        assert len(launched["Location"]) == len(clinic_client("bondi").get(address.format(EXISTING))["Location"])
        assert len(patient_id) < 10 or patient_id not in launched["Location"] + page.content.decode()
    assert len(seen) == 2
    assert len(cliniko_network.calls) == 0
    with clinic_context("bondi"):
        assert not Event.objects.exists()
        assert not PatientRefresh.objects.exists()


def test_a_launch_of_an_unknown_patient_only_writes_the_access_log(
    staff_client: Browsers, cliniko_network: responses.RequestsMock
) -> None:
    cliniko_network.get(f"{API}/patients/{UNKNOWN}", status=404)
    response = staff_client("bondi").get(f"/patients?patient_id={UNKNOWN}", follow=True)
    assert response.status_code == 404
    assert "isn't in your clinic" in unescape(response.content.decode())
    assert len(cliniko_network.calls) == 1
    with clinic_context("bondi"):
        assert list(Event.objects.values_list("action", "patient_id")) == [("not_found", UNKNOWN)]
        assert not PatientRefresh.objects.exists()
        assert not Patient.objects.filter(cliniko_id=UNKNOWN).exists()


def test_parameters_never_redirect_to_another_host(clinic_client: Browsers) -> None:
    for other_host in OTHER_HOSTS:
        browser = clinic_client("bondi")
        given = dict.fromkeys(["next", "t", "redirect_to", "return", "url"], other_host)
        launched = browser.get("/patients", {"patient_id": EXISTING} | given)
        page = browser.get("/login", given)
        assert launched["Location"].startswith("/login?t="), ascii(other_host)
        assert "evil." not in launched["Location"] + page.content.decode(), ascii(other_host)
        landed = browser.post(f"/login?{urlencode(given)}", CREDENTIALS | given)
        assert landed["Location"] == "/", ascii(other_host)
        assert browser.get("/login", given)["Location"] == "/", ascii(other_host)
        assert browser.get("/patients", {"patient_id": EXISTING} | given)["Location"] == f"/patients/{EXISTING}/", (
            ascii(other_host)
        )
        assert browser.post("/logout", given)["Location"] == "/login", ascii(other_host)


OTHER_HOST_PATHS = ["//evil.example/", "///evil.example/patients", "/\\evil.example/", "//evil.example//"]


def test_paths_never_redirect_to_another_host(clinic_client: Browsers, staff_client: Browsers) -> None:
    for browser, path in product((clinic_client("bondi"), staff_client("bondi")), OTHER_HOST_PATHS):
        response = browser.generic("GET", "/", PATH_INFO=path)
        assert (response.status_code, response.get("Location")) == (404, None), path


def test_forwarded_host_headers_are_ignored(clinic_client: Browsers) -> None:
    response = clinic_client("bondi").get(
        "/patients?patient_id=42", headers={"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    )
    assert urlsplit(response["Location"]).netloc == ""


def expired() -> str:
    return tickets.issue("/patients/42/", now=time.time() - tickets.LIFETIME_SECONDS - 1)


def tampered() -> str:
    ticket = tickets.issue("/patients/42/")
    middle = len(ticket) // 2
    return ticket[:middle] + ("A" if ticket[middle] != "A" else "B") + ticket[middle + 1 :]


def cut() -> str:
    return tickets.issue("/patients/42/")[:-20]


@pytest.mark.parametrize("make", [expired, tampered, cut])
def test_an_invalid_ticket_leads_home_with_a_message(clinic_client: Browsers, make: Callable[[], str]) -> None:
    with clinic_context("bondi"):
        ticket = make()
    browser = clinic_client("bondi")
    assert browser.get("/login", {"t": ticket}).status_code == 200
    response = browser.post("/login", CREDENTIALS | {"t": ticket})
    assert response["Location"] == "/"
    assert TICKET_EXPIRED in [str(message) for message in get_messages(response.wsgi_request)]
    assert ADA not in browser.get("/").content.decode()


def test_a_ticket_cannot_be_used_after_sign_out(clinic_client: Browsers) -> None:
    browser = clinic_client("bondi")
    ticket = browser.get("/patients/42/")["Location"].partition("t=")[2]
    assert browser.post("/login", CREDENTIALS | {"t": ticket})["Location"] == "/patients/42/"
    browser.post("/logout")
    assert browser.post("/login", CREDENTIALS | {"t": ticket})["Location"] == "/"


def test_a_launch_only_accepts_get_and_head(csrf_client: Browsers, staff_client: Browsers) -> None:
    signed_in = csrf_client("bondi")
    signed_in.cookies["sessionid"] = staff_client("bondi").cookies["sessionid"].value
    for browser, method in product(
        (signed_in, csrf_client("bondi")), ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
    ):
        response = browser.generic(method, "/patients?patient_id=42")
        assert (response.status_code, response["Allow"]) == (405, "GET, HEAD"), method
    with clinic_context("bondi"):
        assert not Event.objects.exists()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers",
    [{"Sec-Purpose": "prefetch;prerender"}, {"Sec-Fetch-Dest": "image"}, {"Sec-Fetch-Dest": "iframe"}],
    ids=str,
)
def test_requests_from_other_websites_get_an_empty_403(
    staff_client: Browsers,
    clinic_client: Browsers,
    cliniko_network: responses.RequestsMock,
    method: str,
    headers: dict[str, str],
) -> None:
    seen = set()
    for browser in (staff_client("bondi"), clinic_client("bondi")):
        for patient_id in (EXISTING, UNKNOWN):
            response = browser.generic(method, f"/patients?patient_id={patient_id}", headers=headers)
            seen.add((response.status_code, response.content, response.get("Location")))
    assert seen == {(403, b"", None)}
    assert len(cliniko_network.calls) == 0
    with clinic_context("bondi"):
        assert not Event.objects.exists()


def test_ids_beyond_float_precision_are_different_patients(
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


INVALID_IDS = [
    "0",
    "042",
    "+42",
    "-1",
    "42.0",
    "4e1",
    "9" * 21,
    "9" * 5000,
    "٤٢",
    "４２",
    "42\x00",
    "%ff",
    "..",
    "<b>",
    "42 ",
]


def test_invalid_ids_in_the_path_get_the_404_page(staff_client: Browsers, clinic_client: Browsers) -> None:
    for browser, id in product((staff_client("bondi"), clinic_client("bondi")), INVALID_IDS):
        response = browser.get(f"/patients/{id if id == '%ff' else quote(id)}/")
        assert response.status_code == 404, ascii(id)
        assert "Page not found" in response.content.decode(), ascii(id)


MALFORMED_QUERIES = [
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
]


def test_malformed_launches_get_the_400_page(staff_client: Browsers) -> None:
    browser = staff_client("bondi")
    for query in MALFORMED_QUERIES:
        response = browser.get(f"/patients?{query}")
        assert response.status_code == 400, query[:30]
        assert "<h1>Which patient do you want to open?</h1>" in response.content.decode(), query[:30]


def test_too_many_parameters_get_a_400_page(staff_client: Browsers, clinic_client: Browsers) -> None:
    for browser in (staff_client("bondi"), clinic_client("bondi")):
        response = browser.get("/patients?" + "a=1&" * 2000)
        assert response.status_code == 400
        assert "couldn't read this request" in unescape(response.content.decode())


def test_a_user_suspended_between_launch_and_sign_in_sees_no_patient(clinic_client: Browsers) -> None:
    browser = clinic_client("bondi")
    ticket = browser.get("/patients/42/")["Location"].partition("t=")[2]
    with clinic_context("bondi"):
        User.objects.filter(email=CREDENTIALS["login"]).update(is_active=False)
    assert browser.post("/login", CREDENTIALS | {"t": ticket})["Location"] == "/inactive/"
    assert browser.get("/patients/42/").status_code == 302
