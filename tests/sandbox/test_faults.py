"""The sandbox misbehaving on request: which requests are hit, and what they meet instead of or inside an answer."""

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
    """Ada, Bo and Cy, in the order of their ids."""
    return [store.add_patient("bondi", first_name=name, last_name="Beach") for name in ("Ada", "Bo", "Cy")]


def statuses(bondi, path, count):
    return [bondi.get(path).status_code for _ in range(count)]


# Which requests


def test_a_fault_hits_once_unless_told(bondi, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR)
    assert statuses(bondi, "/patients", 3) == [500, 200, 200]


def test_the_first_requests_can_be_spared(bondi, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR, after=2, times=2)
    assert statuses(bondi, "/patients", 5) == [200, 200, 500, 500, 200]


def test_a_fault_without_end_lasts_until_the_account_is_to_behave(bondi, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR, times=None)
    assert statuses(bondi, "/user", 4) == [500] * 4
    store.clear_faults("bondi")
    assert statuses(bondi, "/user", 1) == [200]


def test_the_fault_set_first_wins_and_the_next_one_follows(bondi, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR)
    store.inject_fault("bondi", Fault.BAD_GATEWAY)
    store.inject_fault("bondi", Fault.UNAVAILABLE, after=2)
    assert statuses(bondi, "/patients", 4) == [500, 502, 503, 200]


def test_a_fault_keeps_to_its_resource(bondi, store, people):
    store.inject_fault("bondi", Fault.SERVER_ERROR, resource="patients", times=None)
    for path in ("/patients", f"/patients/{people[0]}", "/patients/deleted"):
        assert bondi.get(path).status_code == 500
    for path in ("/medical_alerts", "/user", "/settings/public"):
        assert bondi.get(path).status_code == 200


def test_a_fault_keeps_to_its_subset(bondi, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR, resource="patients/deleted", times=None)
    assert bondi.get("/patients").status_code == 200
    assert bondi.get("/patients/deleted?page=1").status_code == 500


def test_a_fault_keeps_to_its_account(harbour, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR)
    assert harbour.get("/patients").status_code == 200


def test_a_fault_of_lists_waits_for_a_list(bondi, store, people):
    store.inject_fault("bondi", Fault.NO_LINKS)
    for path in ("/user", "/settings/public", f"/patients/{people[0]}"):
        assert "links" in bondi.json(path)
    assert "links" not in bondi.json("/patients")


def test_a_request_that_is_refused_anyway_spends_no_fault(bondi, store):
    store.inject_fault("bondi", Fault.SERVER_ERROR)
    assert bondi.get("/user", key="nobody-au1").status_code == 401
    assert bondi.get("/user").status_code == 500


def test_another_process_may_set_a_fault_and_it_outlasts_a_restart(bondi, store, clock):
    other = Store(store.path, now=clock)
    other.inject_fault("bondi", Fault.SERVER_ERROR)
    other.close()
    assert statuses(bondi, "/user", 2) == [500, 200]


def test_every_fault_is_seen_to_in_one_place():
    elsewhere = [Fault.CLOCK_AHEAD, Fault.CLOCK_BEHIND, Fault.LATE]
    assert sorted([*ERROR_RESPONSES, *TRANSPORT_FAULTS, *BODY_FAULTS, *elsewhere]) == sorted(Fault)


def test_every_fault_stands_in_the_docs():
    page = (ROOT / "docs" / "sandbox.md").read_text()
    assert [fault.name for fault in Fault if f"`{fault.name}`" not in page] == []


def test_pages_are_spared(client, store, people):
    store.inject_fault("bondi", Fault.SERVER_ERROR, times=None)
    assert client.get("/bondi/patients").status_code == 200


def test_a_request_that_was_hit_is_logged_as_it_was_answered(bondi, store):
    store.inject_fault("bondi", Fault.UNAVAILABLE)
    bondi.get("/user")
    assert [each.status for each in store.requests("bondi")] == [503]


def test_a_fault_that_hits_once_hits_one_of_many_at_once(store):
    store.inject_fault("bondi", Fault.RESET, times=3)
    with ThreadPoolExecutor(8) as pool:
        hits = list(pool.map(lambda _: store.next_fault("bondi", "patients"), range(40)))
    assert sum(hit is not None for hit in hits) == 3


def test_only_what_is_there_can_misbehave(store):
    with pytest.raises(SandboxError):
        store.inject_fault("nobody", Fault.RESET)
    with pytest.raises(SandboxError):
        store.inject_fault("bondi", Fault.RESET, resource="patient")


def test_looking_for_faults_takes_no_time(store):
    began = time.perf_counter()
    for _ in range(1000):
        store.next_fault("bondi", "patients")
    assert time.perf_counter() - began < 0.3


# Answers in place of the real one


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
def test_an_answer_comes_in_place_of_the_real_one(bondi, store, fault, status, kind):
    store.inject_fault("bondi", fault)
    answer = bondi.get("/patients")
    assert (answer.status_code, answer.mimetype) == (status, kind)
    if kind == "application/json":
        assert answer.get_json().keys() == {"message"}
    assert bondi.get("/patients").get_json()["patients"] == []


def test_a_refused_key_is_refused_as_a_wrong_one_is(bondi, store):
    real = bondi.get("/user", key="nobody-au1")
    store.inject_fault("bondi", Fault.UNAUTHORIZED)
    feigned = bondi.get("/user")
    assert (feigned.get_json(), feigned.headers["WWW-Authenticate"]) == (real.get_json(), 'Basic realm="Cliniko API"')


@pytest.mark.parametrize(
    ("fault", "reset"),
    [
        (Fault.TOO_MANY, NOW + 7),
        (Fault.TOO_MANY_PAST, NOW - 60),
        (Fault.TOO_MANY_HOUR, NOW + 3600),
        (Fault.TOO_MANY_BARE, None),
    ],
)
def test_the_limit_says_when_to_come_back_or_not(bondi, store, fault, reset):
    store.inject_fault("bondi", fault, seconds=7)
    refused = bondi.get("/user")
    assert refused.status_code == 429
    assert refused.headers.get("X-RateLimit-Reset", type=int) == reset
    assert "Retry-After" not in refused.headers


def test_a_redirect_leads_to_another_host(bondi, store):
    store.inject_fault("bondi", Fault.REDIRECT)
    assert bondi.get("/user").headers["Location"] == "https://evil.example/"


# The date


@pytest.mark.parametrize(("fault", "date"), [(Fault.CLOCK_AHEAD, "10:00:00"), (Fault.CLOCK_BEHIND, "08:00:00")])
def test_a_clock_that_is_off_dates_the_answer(bondi, store, fault, date):
    store.inject_fault("bondi", fault, seconds=3600)
    assert bondi.get("/user").headers["Date"] == f"Mon, 02 Mar 2026 {date} GMT"
    assert bondi.get("/user").headers["Date"] == "Mon, 02 Mar 2026 09:00:00 GMT"


# The body


def listed(bondi, store, fault, path="/patients?sort=id", **limits):
    store.inject_fault("bondi", fault, **limits)
    return bondi.json(path)


def test_ids_can_be_numbers(bondi, store, people):
    body = listed(bondi, store, Fault.INTEGER_IDS)
    assert [each["id"] for each in body["patients"]] == list(map(int, people))
    store.inject_fault("bondi", Fault.INTEGER_IDS)
    assert bondi.json(f"/patients/{people[0]}")["id"] == int(people[0])


def test_the_total_can_be_text(bondi, store, people):
    assert listed(bondi, store, Fault.TEXT_TOTALS)["total_entries"] == "3"


def test_every_null_can_be_an_empty_text(bondi, store, people):
    (first, *_) = listed(bondi, store, Fault.EMPTY_STRINGS)["patients"]
    assert first["date_of_birth"] == first["merged_with_patient"] == first["sex"] == ""
    assert None not in first.values()
    assert first["patient_phone_numbers"] == []


def test_fields_that_nobody_knows_can_be_there(bondi, store, people):
    plain = bondi.json(f"/patients/{people[0]}")
    odd = listed(bondi, store, Fault.UNKNOWN_FIELDS)["patients"][0]
    assert len(odd) > len(plain)
    assert odd | plain == odd


def test_optional_fields_can_be_absent(bondi, store, people):
    store.add_appointment("bondi", people[0], "2026-03-09T01:00:00Z")
    (visit,) = listed(bondi, store, Fault.MISSING_FIELDS, "/individual_appointments")["individual_appointments"]
    links = {"links", "patient", "practitioner", "business", "appointment_type"}
    assert visit.keys() == {"id", "created_at", "updated_at"} | links
    store.delete("bondi", people[0])
    (gone,) = listed(bondi, store, Fault.MISSING_FIELDS, "/patients/deleted")["patients"]
    assert gone.keys() == {"deleted_at", "links"}


def test_the_last_record_can_be_unreadable(bondi, store, people):
    body = listed(bondi, store, Fault.UNREADABLE)
    assert [each["updated_at"] for each in body["patients"]] == ["2026-03-02T09:00:00Z"] * 2 + ["yesterday"]
    assert bondi.json("/patients?sort=id")["patients"][2]["updated_at"] == "2026-03-02T09:00:00Z"


def test_a_text_can_hold_what_no_database_takes(bondi, store, people):
    names = [each["last_name"] for each in listed(bondi, store, Fault.NUL)["patients"]]
    assert names[:2] == ["Beach", "Beach"]
    assert "\x00" in names[2]
    assert "\ud83d" in names[2]
    with pytest.raises(UnicodeEncodeError):
        names[2].encode()


@pytest.mark.parametrize(
    ("path", "field"), [("/patients?sort=id", "account_balance"), ("/appointment_types?sort=id", "duration_in_minutes")]
)
def test_a_number_can_be_too_large(bondi, store, people, path, field):
    store.inject_fault("bondi", Fault.HUGE_NUMBER)
    answer = bondi.get(path)
    assert answer.text.count("1e400") == 1
    *_, last = answer.get_json()[path[1:].partition("?")[0]]
    assert last[field] == float("inf")


@pytest.mark.parametrize("fault", [Fault.UNREADABLE, Fault.NUL, Fault.HUGE_NUMBER, Fault.INTEGER_IDS])
def test_an_empty_list_has_no_record_to_spoil(bondi, store, fault):
    assert listed(bondi, store, fault)["patients"] == []


def test_a_fault_of_the_body_leaves_a_refusal_alone(bondi, store):
    store.inject_fault("bondi", Fault.UNKNOWN_FIELDS, times=None)
    assert bondi.get("/patients/1").get_json().keys() == {"message"}
    assert bondi.get("/patients?q[]=city:=x").get_json() == {"message": "city is not filterable"}


# The list


def test_an_empty_page_can_claim_a_next_one(bondi, store, people):
    body = listed(bondi, store, Fault.EMPTY_WITH_NEXT)
    assert body["patients"] == []
    assert body["links"]["next"].endswith("/patients?sort=id&page=2")
    assert body["total_entries"] == 3


def test_a_list_can_repeat_itself_for_ever(bondi, store, people):
    store.inject_fault("bondi", Fault.LOOPING_NEXT, times=None)
    for path in ("/patients?sort=id", "/patients?sort=id&page=2", f"/patients?sort=id&q[]=id:>{people[2]}"):
        body = bondi.json(path)
        assert [each["id"] for each in body["patients"]] == people
        assert body["links"]["next"].endswith("page=2")


def test_the_next_page_can_be_at_another_host(bondi, store, people):
    assert listed(bondi, store, Fault.FOREIGN_NEXT)["links"]["next"].startswith("https://evil.example/")


def test_a_list_can_be_without_links(bondi, store, people):
    body = listed(bondi, store, Fault.NO_LINKS)
    assert body.keys() == {"patients", "total_entries"}
    assert len(body["patients"]) == 3


def test_a_replica_that_lags_has_not_seen_the_latest_changes(bondi, store, clock, people):
    clock.pass_by(100)
    store.edit("bondi", "patients", people[0], notes="new")
    clock.pass_by(10)
    store.inject_fault("bondi", Fault.LATE, seconds=60)
    body = bondi.json("/patients?sort=id")
    assert [each["id"] for each in body["patients"]] == people[1:]
    assert body["total_entries"] == 2
    assert "updated_at" not in body["links"]["self"]
    assert bondi.ids("/patients?sort=id") == people


# The delivery, as far as it shows without a server


def test_half_an_answer_can_pass_for_a_whole_one(bondi, store, people):
    whole = bondi.get("/patients").data
    store.inject_fault("bondi", Fault.TRUNCATED)
    half = bondi.get("/patients")
    assert half.content_length == len(half.data) == len(whole) // 2
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(half.data)


def test_a_slow_answer_takes_its_time(bondi, store, people):
    store.inject_fault("bondi", Fault.SLOW, seconds=0.3)
    began = time.perf_counter()
    assert len(bondi.ids("/patients")) == 3
    assert time.perf_counter() - began >= 0.3
