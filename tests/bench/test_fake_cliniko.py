"""The fake API responds to importers as Cliniko does."""

from typing import Any

import requests

from bench.services import control


def get(url: str, *filters: str, **query: Any) -> dict[str, Any]:
    response = requests.get(url, params={"q[]": filters, **query}, auth=("any-key-au1", ""), timeout=10)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def status(url: str) -> int:
    return requests.get(url, auth=("any-key-au1", ""), timeout=10).status_code


def ids(body: dict[str, Any]) -> list[int]:
    return [int(record["id"]) for record in body["patients"]]


def all_pages(url: str, *filters: str, **query: Any) -> list[int]:
    body = get(url, *filters, **query)
    found = ids(body)
    while "next" in body["links"]:
        body = get(body["links"]["next"])
        found += ids(body)
    return found


def test_following_next_links_returns_every_patient_once(api_url: str) -> None:
    found = all_pages(f"{api_url}/patients", "archived_at:*", per_page=100)
    assert len(found) == len(set(found)) == 250


def test_archived_patients_are_only_listed_on_request(api_url: str) -> None:
    everything = get(f"{api_url}/patients", "archived_at:*")["total_entries"]
    active = get(f"{api_url}/patients")
    assert everything == 250
    assert 200 < active["total_entries"] < 250
    assert not any(record["archived_at"] for record in active["patients"])


def test_a_keyset_walk_returns_every_patient_once(api_url: str) -> None:
    last, found = 0, []
    while page := ids(get(f"{api_url}/patients", f"id:>{last}", "archived_at:*", sort="id:asc", per_page=100)):
        found += page
        last = page[-1]
    assert found == sorted(found)
    assert len(found) == 250


def test_updated_at_filters_have_lower_and_upper_bounds(api_url: str) -> None:
    everyone = get(f"{api_url}/patients", "archived_at:*", sort="updated_at:asc,id:asc", per_page=100)["patients"]
    since, until = everyone[10]["updated_at"], everyone[90]["updated_at"]
    window = ("archived_at:*", f"updated_at:>={since}", f"updated_at:<{until}")
    found = get(f"{api_url}/patients", *window, sort="updated_at", order="desc", per_page=100)["patients"]
    assert {each["id"] for each in found} == {each["id"] for each in everyone if since <= each["updated_at"] < until}
    assert [each["updated_at"] for each in found] == sorted((each["updated_at"] for each in found), reverse=True)


def test_an_edit_changes_the_list_and_the_record(api_url: str) -> None:
    before = get(f"{api_url}/patients", "archived_at:*", per_page=1)["patients"][0]
    control(api_url, "touch/250")
    after = get(f"{api_url}/patients/{before['id']}")
    assert after["updated_at"] > before["updated_at"]
    assert after | {"updated_at": ""} == before | {"updated_at": ""}
    assert get(f"{api_url}/patients", "archived_at:*", f"updated_at:>={after['updated_at']}")["total_entries"] == 250


def test_requests_that_cliniko_refuses_are_refused(api_url: str) -> None:
    assert status(f"{api_url}/patients?q[]=cancelled_at:*") == 400
    assert status(f"{api_url}/patients/17") == 404
    assert requests.get(f"{api_url}/patients", timeout=10).status_code == 401
