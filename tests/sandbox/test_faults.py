"""Injected faults: which requests they apply to, and how they change the response."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.cliniko.api.fault_injection import TRANSPORT_FAULTS
from sandbox.cliniko.errors import SandboxError
from sandbox.cliniko.faults.error_responses import ERROR_RESPONSES
from sandbox.cliniko.faults.kinds import Fault
from sandbox.cliniko.faults.response_bodies import BODY_FAULTS
from sandbox.cliniko.store import Store
from tests.services import ROOT

NOW = 1772442000  # 2026-03-02T09:00:00Z


@pytest.fixture
def people(store):
    """Add Ada, Bo and Cy and return their ids in order."""
    return [store.add_patient("bondi", first_name=name, last_name="Beach") for name in ("Ada", "Bo", "Cy")]


def statuses(bondi, path, count):
    return [bondi.get(path).status_code for _ in range(count)]


# Which requests


def test_a_fault_applies_once_by_default(bondi, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR)
    assert statuses(bondi, "/patients", 3) == [500, 200, 200]


def test_a_fault_can_skip_the_first_requests(bondi, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR, after=2, times=2)
    assert statuses(bondi, "/patients", 5) == [200, 200, 500, 500, 200]


def test_an_unlimited_fault_lasts_until_it_is_cleared(bondi, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR, times=None)
    assert statuses(bondi, "/user", 4) == [500] * 4
    store.clear_faults("bondi")
    assert statuses(bondi, "/user", 1) == [200]


def test_the_fault_added_first_applies_first(bondi, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR)
    store.inject_fault("bondi", Fault.BAD_GATEWAY)
    store.inject_fault("bondi", Fault.UNAVAILABLE, after=2)
    assert statuses(bondi, "/patients", 4) == [500, 502, 503, 200]


def test_a_fault_is_limited_to_its_resource(bondi, store, people):
    store.inject_fault("bondi", Fault.SERVER_ERROR, resource="patients", times=None)
    for path in ("/patients", f"/patients/{people[0]}", "/patients/deleted"):
        assert bondi.get(path).status_code == 500
    for path in ("/medical_alerts", "/user", "/settings/public"):
        assert bondi.get(path).status_code == 200


def test_a_fault_is_limited_to_its_secondary_list(bondi, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR, resource="patients/deleted", times=None)
    assert bondi.get("/patients").status_code == 200
    assert bondi.get("/patients/deleted?page=1").status_code == 500


def test_a_fault_is_limited_to_its_account(harbour, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR)
    assert harbour.get("/patients").status_code == 200


def test_a_list_fault_waits_for_a_list_request(bondi, store, people):
    store.inject_fault("bondi", Fault.NO_LINKS)
    for path in ("/user", "/settings/public", f"/patients/{people[0]}"):
        assert "links" in bondi.json(path)
    assert "links" not in bondi.json("/patients")


def test_a_refused_request_does_not_use_up_a_fault(bondi, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR)
    assert bondi.get("/user", key="nobody-au1").status_code == 401
    assert bondi.get("/user").status_code == 500


def test_another_process_can_inject_a_fault(bondi, store, clock):
    other = Store(store.path, now=clock)
    other.inject_fault("bondi", Fault.SERVER_ERROR)
    other.close()
    assert statuses(bondi, "/user", 2) == [500, 200]


def test_every_fault_is_implemented_once():
    others = [Fault.CLOCK_AHEAD, Fault.CLOCK_BEHIND, Fault.LATE]
    assert sorted([*ERROR_RESPONSES, *TRANSPORT_FAULTS, *BODY_FAULTS, *others]) == sorted(Fault)


def test_every_fault_is_documented():
    page = (ROOT / "docs" / "sandbox.md").read_text()
    assert [fault.name for fault in Fault if f"`{fault.name}`" not in page] == []


def test_faults_do_not_affect_pages(client, store, people):
    store.inject_fault("bondi", Fault.SERVER_ERROR, times=None)
    assert client.get("/bondi/patients").status_code == 200


def test_a_faulty_response_is_logged_with_its_status(bondi, store):
    store.inject_fault("bondi", Fault.UNAVAILABLE)
    bondi.get("/user")
    assert [each.status for each in store.requests("bondi")] == [503]


def test_concurrent_requests_use_up_a_fault_exactly(store):
    store.inject_fault("bondi", Fault.RESET, times=3)
    with ThreadPoolExecutor(8) as pool:
        hits = list(pool.map(lambda _: store.next_fault("bondi", "patients"), range(40)))
    assert sum(hit is not None for hit in hits) == 3


def test_a_fault_needs_an_existing_account_and_resource(store):
    with pytest.raises(SandboxError):
        store.inject_fault("nobody", Fault.RESET)
    with pytest.raises(SandboxError):
        store.inject_fault("bondi", Fault.RESET, resource="patient")


def test_checking_for_faults_is_fast(store):
    started = time.perf_counter()
    for _ in range(1000):
        store.next_fault("bondi", "patients")
    assert time.perf_counter() - started < 0.3


# Error responses


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        (Fault.SERVER_ERROR, 500, "application/json"),
        (Fault.BAD_GATEWAY, 502, "text/html"),
        (Fault.UNAVAILABLE, 503, "text/html"),
        (Fault.UNAUTHORIZED, 401, "application/json"),
        (Fault.FORBIDDEN, 403, "application/json"),
        (Fault.TOO_MANY, 429, "application/json"),
        (Fault.NOT_JSON, 200, "text/html"),
        (Fault.ERROR_BODY, 200, "application/json"),
        (Fault.REDIRECT, 302, "text/html"),
    ],
)
def test_error_responses_replace_the_real_one(bondi, store, fault, status, kind):
    store.inject_fault("bondi", fault)
    response = bondi.get("/patients")
    assert (response.status_code, response.mimetype) == (status, kind)
    if kind == "application/json":
        assert response.get_json().keys() == {"message"}
    assert bondi.get("/patients").get_json()["patients"] == []


def test_an_injected_401_matches_a_real_one(bondi, store):
    real = bondi.get("/user", key="nobody-au1")
    store.inject_fault("bondi", Fault.UNAUTHORIZED)
    injected = bondi.get("/user")
    assert (injected.get_json(), injected.headers["WWW-Authenticate"]) == (real.get_json(), 'Basic realm="Cliniko API"')


@pytest.mark.parametrize(
    ("fault", "reset"),
    [
        (Fault.TOO_MANY, NOW + 7),
        (Fault.TOO_MANY_PAST, NOW - 60),
        (Fault.TOO_MANY_HOUR, NOW + 3600),
        (Fault.TOO_MANY_BARE, None),
    ],
)
def test_an_injected_429_has_the_reset_of_its_fault(bondi, store, fault, reset):
    store.inject_fault("bondi", fault, seconds=7)
    response = bondi.get("/user")
    assert response.status_code == 429
    assert response.headers.get("X-RateLimit-Reset", type=int) == reset
    assert "Retry-After" not in response.headers


def test_a_redirect_points_to_another_host(bondi, store):
    store.inject_fault("bondi", Fault.REDIRECT)
    assert bondi.get("/user").headers["Location"] == "https://evil.example/"


# The Date header


@pytest.mark.parametrize(("fault", "date"), [(Fault.CLOCK_AHEAD, "10:00:00"), (Fault.CLOCK_BEHIND, "08:00:00")])
def test_a_clock_fault_shifts_the_date_header(bondi, store, fault, date):
    store.inject_fault("bondi", fault, seconds=3600)
    assert bondi.get("/user").headers["Date"] == f"Mon, 02 Mar 2026 {date} GMT"
    assert bondi.get("/user").headers["Date"] == "Mon, 02 Mar 2026 09:00:00 GMT"


# Response bodies


def list_with_fault(bondi, store, fault, path="/patients?sort=id", **options):
    store.inject_fault("bondi", fault, **options)
    return bondi.json(path)


def test_integer_ids_are_numbers(bondi, store, people):
    body = list_with_fault(bondi, store, Fault.INTEGER_IDS)
    assert [each["id"] for each in body["patients"]] == list(map(int, people))
    store.inject_fault("bondi", Fault.INTEGER_IDS)
    assert bondi.json(f"/patients/{people[0]}")["id"] == int(people[0])


def test_text_totals_is_a_string(bondi, store, people):
    assert list_with_fault(bondi, store, Fault.TEXT_TOTALS)["total_entries"] == "3"


def test_empty_strings_replaces_every_null(bondi, store, people):
    (first, *_) = list_with_fault(bondi, store, Fault.EMPTY_STRINGS)["patients"]
    assert first["date_of_birth"] == first["merged_with_patient"] == first["sex"] == ""
    assert None not in first.values()
    assert first["patient_phone_numbers"] == []


def test_unknown_fields_adds_fields(bondi, store, people):
    original = bondi.json(f"/patients/{people[0]}")
    changed = list_with_fault(bondi, store, Fault.UNKNOWN_FIELDS)["patients"][0]
    assert len(changed) > len(original)
    assert changed | original == changed


def test_missing_fields_drops_optional_fields(bondi, store, people):
    store.add_appointment("bondi", people[0], "2026-03-09T01:00:00Z")
    (visit,) = list_with_fault(bondi, store, Fault.MISSING_FIELDS, "/individual_appointments")[
        "individual_appointments"
    ]
    links = {"links", "patient", "practitioner", "business", "appointment_type"}
    assert visit.keys() == {"id", "created_at", "updated_at"} | links
    store.delete("bondi", people[0])
    (deleted,) = list_with_fault(bondi, store, Fault.MISSING_FIELDS, "/patients/deleted")["patients"]
    assert deleted.keys() == {"deleted_at", "links"}


def test_unreadable_changes_the_last_record(bondi, store, people):
    body = list_with_fault(bondi, store, Fault.UNREADABLE)
    assert [each["updated_at"] for each in body["patients"]] == ["2026-03-02T09:00:00Z"] * 2 + ["yesterday"]
    assert bondi.json("/patients?sort=id")["patients"][2]["updated_at"] == "2026-03-02T09:00:00Z"


def test_nul_adds_characters_that_postgresql_refuses(bondi, store, people):
    names = [each["last_name"] for each in list_with_fault(bondi, store, Fault.NUL)["patients"]]
    assert names[:2] == ["Beach", "Beach"]
    assert "\x00" in names[2]
    assert "\ud83d" in names[2]
    with pytest.raises(UnicodeEncodeError):
        names[2].encode()


@pytest.mark.parametrize(
    ("path", "field"), [("/patients?sort=id", "account_balance"), ("/appointment_types?sort=id", "duration_in_minutes")]
)
def test_huge_number_exceeds_a_float(bondi, store, people, path, field):
    store.inject_fault("bondi", Fault.HUGE_NUMBER)
    response = bondi.get(path)
    assert response.text.count("1e400") == 1
    *_, last = response.get_json()[path[1:].partition("?")[0]]
    assert last[field] == float("inf")


@pytest.mark.parametrize("fault", [Fault.UNREADABLE, Fault.NUL, Fault.HUGE_NUMBER, Fault.INTEGER_IDS])
def test_record_faults_leave_an_empty_list_unchanged(bondi, store, fault):
    assert list_with_fault(bondi, store, fault)["patients"] == []


def test_body_faults_leave_error_responses_unchanged(bondi, store):
    store.inject_fault("bondi", Fault.UNKNOWN_FIELDS, times=None)
    assert bondi.get("/patients/1").get_json().keys() == {"message"}
    assert bondi.get("/patients?q[]=city:=x").get_json() == {"message": "city is not filterable"}


# Lists


def test_empty_with_next_has_a_next_link(bondi, store, people):
    body = list_with_fault(bondi, store, Fault.EMPTY_WITH_NEXT)
    assert body["patients"] == []
    assert body["links"]["next"].endswith("/patients?sort=id&page=2")
    assert body["total_entries"] == 3


def test_looping_next_repeats_the_same_page(bondi, store, people):
    store.inject_fault("bondi", Fault.LOOPING_NEXT, times=None)
    for path in ("/patients?sort=id", "/patients?sort=id&page=2", f"/patients?sort=id&q[]=id:>{people[2]}"):
        body = bondi.json(path)
        assert [each["id"] for each in body["patients"]] == people
        assert body["links"]["next"].endswith("page=2")


def test_foreign_next_links_to_another_host(bondi, store, people):
    assert list_with_fault(bondi, store, Fault.FOREIGN_NEXT)["links"]["next"].startswith("https://evil.example/")


def test_no_links_drops_the_links(bondi, store, people):
    body = list_with_fault(bondi, store, Fault.NO_LINKS)
    assert body.keys() == {"patients", "total_entries"}
    assert len(body["patients"]) == 3


def test_late_hides_recent_changes(bondi, store, clock, people):
    clock.advance(100)
    store.edit("bondi", "patients", people[0], notes="new")
    clock.advance(10)
    store.inject_fault("bondi", Fault.LATE, seconds=60)
    body = bondi.json("/patients?sort=id")
    assert [each["id"] for each in body["patients"]] == people[1:]
    assert body["total_entries"] == 2
    assert "updated_at" not in body["links"]["self"]
    assert bondi.ids("/patients?sort=id") == people


# Transport faults that work without a server


def test_truncated_sends_half_of_the_body(bondi, store, people):
    whole = bondi.get("/patients").data
    store.inject_fault("bondi", Fault.TRUNCATED)
    half = bondi.get("/patients")
    assert half.content_length == len(half.data) == len(whole) // 2
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(half.data)


def test_slow_delays_the_response(bondi, store, people):
    store.inject_fault("bondi", Fault.SLOW, seconds=0.3)
    started = time.perf_counter()
    assert len(bondi.ids("/patients")) == 3
    assert time.perf_counter() - started >= 0.3
