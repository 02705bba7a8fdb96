"""The HTTP client for Cliniko's API: typed answers, and a named error for every failure. No Django.

# Reference: https://docs.api.cliniko.com
"""

import json
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, NoReturn, Protocol, TypeVar

import orjson
import requests
import urllib3

from sync.cliniko.errors import (
    ClinikoError,
    KeyForbidden,
    KeyInvalid,
    KeyRefused,
    NotFilterable,
    RateLimited,
    RecordNotFound,
    RequestRefused,
    ServerError,
    Unreachable,
)

PER_PAGE = 100  # Cliniko's maximum
CONNECT_TIMEOUT = 3.05
TIMEOUT = 40.0  # seconds for the whole response; half of it for the first byte
DEFAULT_PAUSE = timedelta(seconds=60)  # the rate limit's window, for a 429 that names no time
MAX_PAUSE = timedelta(hours=1)

Parsed = TypeVar("Parsed")  # what the caller makes of a page
_KEY = re.compile(r"[A-Za-z0-9+/=_-]{8,300}")
_SHARD = re.compile(r"[a-z]{2}[0-9]{1,2}")


class ApiKey:
    """A clinic's API key. Only `reveal()` returns it; repr and str show the last four characters."""

    __slots__ = ("_text",)

    def __init__(self, text: str):
        if not _KEY.fullmatch(text):
            raise KeyRefused("This isn't a Cliniko API key. A key is one line of letters, digits and dashes.")
        self._text = text

    @property
    def shard(self) -> str:
        """The suffix after the last dash, such as `au2`. Old keys have none and belong to `au1`."""
        return self._parts[1] or "au1"

    @property
    def last4(self) -> str:
        """The last four characters of the secret, without the shard that many keys share."""
        return self.body[-4:]

    @property
    def body(self) -> str:
        """The secret without the shard: a key works with and without it."""
        return self._parts[0]

    @property
    def _parts(self) -> tuple[str, str]:
        body, _, suffix = self._text.rpartition("-")
        return (body, suffix) if body and _SHARD.fullmatch(suffix) else (self._text, "")

    def reveal(self) -> str:
        """Return the key in plain text."""
        return self._text

    def __repr__(self) -> str:
        return f"…{self.last4}"


@dataclass(frozen=True)
class Page:
    """One response to a list request. `clock` is its Date header: Cliniko's own time, UTC."""

    records: list[dict[str, Any]]
    has_more: bool
    total: int | None
    clock: datetime


class Budget(Protocol):
    """Decides how many requests may be made with a key."""

    def spend(self) -> None:
        """Count a request that is about to be made. Raises BudgetSpent if it must not be."""

    def record_response(self, status: int | None) -> None:
        """Record the HTTP status, None for no response. Called from any thread."""


class Cliniko:
    """A client for one clinic's Cliniko account. It sends requests to the key's shard only and follows no redirects."""

    def __init__(
        self,
        key: ApiKey,
        *,
        api_url: str,
        user_agent: str,
        timeout: float = TIMEOUT,
        budget: Budget | None = None,
    ):
        self._base = api_url.replace("{shard}", key.shard).rstrip("/")
        self._timeout = timeout
        self._budget = budget
        self._executor: ThreadPoolExecutor | None = None
        self._session = requests.Session()
        self._session.auth = (key.reveal(), "")
        self._session.headers.update({"Accept": "application/json", "User-Agent": user_agent})

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    def list(
        self, resource: str, *, filters: Sequence[str] = (), sort: str, per_page: int | None = None, subset: str = ""
    ) -> Page:
        """Fetch the first page of `resource` under `filters`, such as `id:>17`. Later pages move while one reads.

        `subset` names a list beside the main one, such as `deleted`. Raises ClinikoError.
        """
        self._spend()
        return self._page(resource, filters, sort, per_page or PER_PAGE, subset)

    def prefetch(
        self,
        resource: str,
        *,
        filters: Sequence[str] = (),
        sort: str,
        subset: str = "",
        parse: Callable[[Page], Parsed],
    ) -> Future[Parsed]:
        """Fetch the same page and `parse` it in a background thread, one page at a time.

        Raises BudgetSpent immediately; the future raises the other errors.
        """
        self._spend()
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cliniko")
        return self._executor.submit(lambda: parse(self._page(resource, filters, sort, PER_PAGE, subset)))

    def _page(self, resource: str, filters: Sequence[str], sort: str, per_page: int, subset: str) -> Page:
        path = f"/{resource}/{subset}" if subset else f"/{resource}"
        body, clock = self._get(path, {"q[]": list(filters), "sort": sort, "per_page": per_page})
        records = body.get(resource)
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise Unreachable(f"Cliniko's response has no list of {resource}.")
        links = body.get("links")
        if not isinstance(links, dict):  # without links, a truncated page would pass for the last one
            raise Unreachable(f"Cliniko's list of {resource} doesn't say whether there are more pages.")
        total = body.get("total_entries")  # a number or text
        total = int(total) if isinstance(total, int | str) and str(total).isdecimal() else None
        return Page(records=records, has_more=bool(links.get("next")), total=total, clock=clock)

    def record(self, resource: str, cliniko_id: str) -> dict[str, Any]:
        """Fetch one record. Raises RecordNotFound and the other ClinikoErrors."""
        self._spend()
        return self._get(f"/{resource}/{cliniko_id}")[0]

    def user(self) -> dict[str, Any]:
        """Fetch the Cliniko user who made the key."""
        self._spend()
        return self._get("/user")[0]

    def settings(self) -> dict[str, Any]:
        """Fetch the account's public settings: name, subdomain, time zone, terminology."""
        self._spend()
        return self._get("/settings/public")[0]

    def _spend(self) -> None:
        if self._budget:
            self._budget.spend()

    def _get(self, path: str, query: dict[str, Any] | None = None) -> tuple[dict[str, Any], datetime]:
        try:
            response, content = self._fetch(path, query)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as failure:
            self._record_response(None)
            # The library's message contains the URL, so only its type is reported.
            raise Unreachable(f"Cliniko can't be reached ({type(failure).__name__}).") from None
        self._record_response(response.status_code)
        clock = _clock(response)
        _raise_for_status(response, content, clock)
        body = _parse_json(content)
        if not isinstance(body, dict):
            raise Unreachable("Cliniko's response isn't a JSON object.")
        return body, clock

    def _record_response(self, status: int | None) -> None:
        if self._budget:
            self._budget.record_response(status)

    def _fetch(self, path: str, query: dict[str, Any] | None) -> tuple[requests.Response, bytes]:
        """Return the response and its body. The timeout is for the whole body, even if it trickles in."""
        deadline = time.monotonic() + self._timeout
        limits = (min(CONNECT_TIMEOUT, self._timeout / 2), self._timeout / 2)
        content = bytearray()
        with self._session.get(
            self._base + path, params=query, timeout=limits, allow_redirects=False, stream=True
        ) as response:
            while chunk := response.raw.read1(65_536, decode_content=True):
                content += chunk
                if time.monotonic() > deadline:
                    raise requests.ReadTimeout
        return response, bytes(content)


def _parse_json(content: bytes) -> Any:
    """Parse JSON. Raises Unreachable.

    Accepts lone surrogates and huge numbers, which orjson rejects: one odd character must not cost a page of patients.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            return json.loads(content, parse_constant=_reject_constant, parse_float=_finite)
        except (ValueError, RecursionError):
            raise Unreachable("Cliniko's response isn't JSON.") from None


def _finite(number: str) -> float | str:
    """Return the number, or its text if a float can't hold it."""
    return float(number) if isfinite(float(number)) else number


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} isn't JSON.")


_ERRORS: dict[int, tuple[type[ClinikoError], str]] = {
    401: (KeyInvalid, "Cliniko doesn't accept the API key."),
    403: (KeyForbidden, "The Cliniko user who made the API key isn't allowed to read this."),
    404: (RecordNotFound, "Cliniko has no such record."),
}


def _clock(response: requests.Response) -> datetime:
    try:
        return parsedate_to_datetime(response.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.now(UTC)


def _raise_for_status(response: requests.Response, content: bytes, clock: datetime) -> None:
    status = response.status_code
    if status == 200:
        return
    if status == 429:
        raise RateLimited(_resume_at(response, clock))
    if status == 400 and b"not filterable" in content:
        raise NotFilterable("Cliniko can't filter this list by that field.")
    if status in _ERRORS:
        error, message = _ERRORS[status]
        raise error(message)
    if 400 <= status < 500:
        raise RequestRefused(f"Cliniko rejected the request with status {status}.")
    error = ServerError if status >= 500 else Unreachable
    raise error(f"Cliniko answered with status {status}.")


def _resume_at(response: requests.Response, clock: datetime) -> datetime:
    """Return when the limit resets, by our clock. The wait is measured by Cliniko's clock, which may differ."""
    reset = response.headers.get("X-RateLimit-Reset", "")
    after = response.headers.get("Retry-After", "")
    pause = DEFAULT_PAUSE
    if reset.isdecimal() and len(reset) <= 11:
        pause = datetime.fromtimestamp(int(reset), UTC) - clock
    elif after.isdecimal() and len(after) <= 6:
        pause = timedelta(seconds=int(after))
    pause = min(max(pause, timedelta(seconds=1)), MAX_PAUSE)
    return datetime.now(UTC) + pause
