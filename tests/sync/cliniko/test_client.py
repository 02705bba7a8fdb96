"""The client: where requests go, and the error for every failed answer."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses

from sync.cliniko.client import ApiKey, Cliniko
from sync.cliniko.errors import (
    KeyForbidden,
    KeyInvalid,
    KeyRefused,
    RateLimited,
    RecordNotFound,
    RequestRefused,
    Unreachable,
)

KEY = "MS0xLUNBTkFSWS1rZXk-au2"
BASE = "https://api.au2.cliniko.com/v1"


def client(key: str = KEY) -> Cliniko:
    return Cliniko(
        ApiKey(key), api_url="https://api.{shard}.cliniko.com/v1", user_agent="Sidechart (ops@sidechart.example)"
    )


@pytest.mark.parametrize(
    ("key", "shard"),
    [
        ("MS0xLWFiYw-au2", "au2"),
        ("MS0x-LWFi-Yw-uk12", "uk12"),
        ("MS0xLWFiYw-us1", "us1"),
        ("MS0xLWFiYwMS0x", "au1"),
        ("MS0x-LWFiYw", "au1"),
        ("MS0xLWFiYw-127", "au1"),
        ("MS0xLWFiYw-AU1", "au1"),
        ("MS0xLWFiYw-evil", "au1"),
        ("-au2-au2", "au2"),
    ],
)
def test_shard_is_the_suffix_after_the_last_dash(key: str, shard: str) -> None:
    assert ApiKey(key).shard == shard


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "short",
        "MS0xLWFiYw-evil.com",
        "MS0xLWFiYw-au1.evil",
        "MS0xLWFiYw-au1/../x@y",
        "MS0xLWFiYw-AU1\n",
        "MS0xLWFiYw au1",
        "MS0xLWFiYw-àu1",
        "x" * 301,
    ],
)
def test_malformed_key_is_rejected(hostile: str) -> None:
    with pytest.raises(KeyRefused):
        ApiKey(hostile)


def test_key_shows_only_its_last_four_characters() -> None:
    key = ApiKey(KEY)
    assert f"{key} {key!r}" == "…rZXk …rZXk"
    assert not hasattr(key, "__dict__")


@responses.activate
def test_list_request_has_clinikos_headers_and_parameters() -> None:
    responses.get(f"{BASE}/patients", json={"patients": [{"id": "1"}], "total_entries": "400", "links": {"next": "x"}})
    page = client().list("patients", filters=("id:>0", "archived_at:*"), sort="id:asc")
    sent = responses.calls[0].request
    assert sent.headers["User-Agent"] == "Sidechart (ops@sidechart.example)"
    assert sent.headers["Accept"] == "application/json"
    assert sent.headers["Authorization"] == f"Basic {b64encode(f'{KEY}:'.encode()).decode()}"
    assert parse_qs(urlsplit(str(sent.url)).query) == {
        "q[]": ["id:>0", "archived_at:*"],
        "sort": ["id:asc"],
        "per_page": ["100"],
    }
    assert (page.total, page.has_more, page.records) == (400, True, [{"id": "1"}])


@responses.activate
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RequestRefused),
        (401, KeyInvalid),
        (403, KeyForbidden),
        (404, RecordNotFound),
        (406, RequestRefused),
        (422, RequestRefused),
        (429, RateLimited),
        (500, Unreachable),
        (502, Unreachable),
        (301, Unreachable),
        (204, Unreachable),
    ],
)
def test_every_status_raises_its_own_error(status: int, error: type[Exception]) -> None:
    responses.get(f"{BASE}/patients/42", status=status, body="<html>", headers={"Location": "https://evil.example/"})
    with pytest.raises(error):
        client().record("patients", "42")
    assert len(responses.calls) == 1


@responses.activate
@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        '{"patients": [',
        "[]",
        '"patients"',
        "{}",
        '{"patients": [1]}',
        '{"patients": []}',
        '{"patients": [], "links": {}, "n": NaN}',
    ],
)
def test_broken_body_counts_as_unreachable(body: str) -> None:
    responses.get(f"{BASE}/patients", body=body)
    with pytest.raises(Unreachable):
        client().list("patients", filters=(), sort="id:asc")


@responses.activate
def test_connection_error_reveals_neither_key_nor_url() -> None:
    responses.get(f"{BASE}/patients/42", body=requests.ConnectionError(f"no way to {BASE}/patients/42 with {KEY}"))
    with pytest.raises(Unreachable) as failure:
        client().record("patients", "42")
    assert KEY not in str(failure.value)
    assert "patients/42" not in str(failure.value)
    assert failure.value.__suppress_context__


@responses.activate
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Reset": "{now+30}"}, 30),
        ({"Retry-After": "12"}, 12),
        ({}, 60),
        ({"X-RateLimit-Reset": "{now-500}"}, 1),
        ({"X-RateLimit-Reset": "{now+99999}"}, 3600),
        ({"X-RateLimit-Reset": "soon"}, 60),
    ],
)
def test_429_says_when_to_resume(headers: dict[str, str], seconds: int) -> None:
    cliniko_clock = datetime.now(UTC) - timedelta(minutes=5)  # slow: only the interval counts
    now = int(cliniko_clock.timestamp())
    filled = {
        name: str(now + int(value.strip("{}").removeprefix("now"))) if "now" in value else value
        for name, value in headers.items()
    }
    date = cliniko_clock.strftime("%a, %d %b %Y %H:%M:%S GMT")
    responses.get(f"{BASE}/user", status=429, headers=filled | {"Date": date})
    with pytest.raises(RateLimited) as limit:
        client().user()
    assert abs((limit.value.until - datetime.now(UTC)).total_seconds() - seconds) < 3
