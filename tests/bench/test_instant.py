"""The instant API answers importers as Cliniko would."""

from typing import Any

import pytest
import requests
from werkzeug.http import parse_date

from bench.services import control


def ask(url: str, *filters: str, **query: Any) -> dict[str, Any]:
    answer = requests.get(url, params={"q[]": filters, **query}, auth=("any-key-au1", ""), timeout=10)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def status(url: str) -> int:
    return requests.get(url, auth=("any-key-au1", ""), timeout=10).status_code


def ids(body: dict[str, Any]) -> list[int]:
    return [int(record["id"]) for record in body["patients"]]


def all_pages(url: str, *filters: str, **query: Any) -> list[int]:
    body = ask(url, *filters, **query)
    found = ids(body)
    while "next" in body["links"]:
        body = ask(body["links"]["next"])
        found += ids(body)
    return found


def test_following_the_links_meets_every_patient_once(instant: str) -> None:
    found = all_pages(f"{instant}/patients", "archived_at:*", per_page=100)
    assert len(found) == len(set(found)) == 250


def test_a_page_holds_a_hundred_at_most_and_fifty_unless_told(instant: str) -> None:
    assert len(ids(ask(f"{instant}/patients", per_page=1000))) == 100
    assert len(ids(ask(f"{instant}/patients"))) == 50


def test_archived_patients_stay_out_unless_asked_for(instant: str) -> None:
    all_of_them = ask(f"{instant}/patients", "archived_at:*")["total_entries"]
    live = ask(f"{instant}/patients")
    assert all_of_them == 250
    assert 200 < live["total_entries"] < 250
    assert not any(record["archived_at"] for record in live["patients"])


def test_a_walk_by_id_meets_every_patient_once(instant: str) -> None:
    last, found = 0, []
    while page := ids(ask(f"{instant}/patients", f"id:>{last}", "archived_at:*", sort="id:asc", per_page=100)):
        found += page
        last = page[-1]
    assert found == sorted(found)
    assert len(found) == 250


def test_moments_limit_the_list_on_both_sides(instant: str) -> None:
    everyone = ask(f"{instant}/patients", "archived_at:*", sort="updated_at:asc,id:asc", per_page=100)["patients"]
    since, until = everyone[10]["updated_at"], everyone[90]["updated_at"]
    window = ("archived_at:*", f"updated_at:>={since}", f"updated_at:<{until}")
    asked = ask(f"{instant}/patients", *window, sort="updated_at", order="desc", per_page=100)["patients"]
    assert {each["id"] for each in asked} == {each["id"] for each in everyone if since <= each["updated_at"] < until}
    assert [each["updated_at"] for each in asked] == sorted((each["updated_at"] for each in asked), reverse=True)


def test_an_edit_shows_in_the_list_and_on_the_record(instant: str) -> None:
    before = ask(f"{instant}/patients", "archived_at:*", per_page=1)["patients"][0]
    control(instant, "touch/250")
    after = ask(f"{instant}/patients/{before['id']}")
    assert after["updated_at"] > before["updated_at"]
    assert after | {"updated_at": ""} == before | {"updated_at": ""}
    assert ask(f"{instant}/patients", "archived_at:*", f"updated_at:>={after['updated_at']}")["total_entries"] == 250


@pytest.mark.parametrize("resource", ["medical_alerts", "individual_appointments", "attendees", "practitioners"])
def test_other_lists_are_empty(instant: str, resource: str) -> None:
    body = ask(f"{instant}/{resource}", "archived_at:*", "cancelled_at:*", sort="id:asc")
    assert (body[resource], body["total_entries"], "next" in body["links"]) == ([], 0, False)


def test_what_cliniko_would_refuse_is_refused(instant: str) -> None:
    assert status(f"{instant}/patients?q[]=cancelled_at:*") == 400
    assert status(f"{instant}/patients/17") == 404
    assert requests.get(f"{instant}/patients", timeout=10).status_code == 401


def test_every_answer_is_dated(instant: str) -> None:
    assert parse_date(requests.get(f"{instant}/user", auth=("any-key-au1", ""), timeout=10).headers["Date"])
