"""Cliniko over HTTP: requests out, typed answers and named errors back. Knows no Django.

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

PER_PAGE = 100  # the most Cliniko gives
CONNECT_TIMEOUT = 3.05
TIMEOUT = 40.0  # seconds for a whole answer; half of it for the first byte
DEFAULT_PAUSE = timedelta(seconds=60)  # the window of Cliniko's limit, when a 429 names no time
LONGEST_PAUSE = timedelta(hours=1)

Answer = TypeVar("Answer")  # what somebody makes of a page
_KEY = re.compile(r"[A-Za-z0-9+/=_-]{8,300}")
_SHARD = re.compile(r"[a-z]{2}[0-9]{1,2}")


class ApiKey:
    """A clinic's API key. Its text leaves through `reveal()` alone; repr and str show the last four characters."""

    __slots__ = ("_text",)

    def __init__(self, text: str):
        if not _KEY.fullmatch(text):
            raise KeyRefused("This is not a Cliniko API key: it is one line of letters, digits and dashes.")
        self._text = text

    @property
    def shard(self) -> str:
        """What follows the last dash, such as `au2`; a key without such a suffix is an old one and lives on `au1`."""
        return self._parts[1] or "au1"

    @property
    def last4(self) -> str:
        """The last four characters of the secret itself, without the shard that many keys share."""
        return self.body[-4:]

    @property
    def body(self) -> str:
        """The secret itself: a key works with and without its shard."""
        return self._parts[0]

    @property
    def _parts(self) -> tuple[str, str]:
        body, _, suffix = self._text.rpartition("-")
        return (body, suffix) if body and _SHARD.fullmatch(suffix) else (self._text, "")

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"…{self.last4}"


@dataclass(frozen=True)
class Page:
    """One answer to a list request. `clock` is Cliniko's own time of the answer, UTC."""

    records: list[dict[str, Any]]
    has_more: bool
    total: int | None
    clock: datetime


class Budget(Protocol):
    """The requests that may be made with a key."""

    def spend(self) -> None:
        """Count one request that is about to be made. Raises BudgetSpent when it must not be."""

    def answered(self, status: int | None) -> None:
        """Note how it was answered; None for not at all. From any thread."""


class Cliniko:
    """One clinic's Cliniko account, reached with its key. Requests go to the shard's address and nowhere else."""

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
        self._seconds = timeout
        self._budget = budget
        self._ahead: ThreadPoolExecutor | None = None
        self._session = requests.Session()
        self._session.auth = (key.reveal(), "")
        self._session.headers.update({"Accept": "application/json", "User-Agent": user_agent})

    def close(self) -> None:
        if self._ahead is not None:
            self._ahead.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    def list(
        self, resource: str, *, filters: Sequence[str] = (), sort: str, per_page: int | None = None, subset: str = ""
    ) -> Page:
        """The first page of `resource` under `filters`, such as `id:>17`. Never a later one: those move meanwhile.

        `subset` names a list beside the main one, such as `deleted`. Raises the errors above.
        """
        self._spend()
        return self._page(resource, filters, sort, per_page or PER_PAGE, subset)

    def list_ahead(
        self,
        resource: str,
        *,
        filters: Sequence[str] = (),
        sort: str,
        subset: str = "",
        then: Callable[[Page], Answer],
    ) -> Future[Answer]:
        """What `then` makes of the same, asked and made by a thread of its own while the caller does something else.
        One at a time.

        Raises BudgetSpent at once; the other errors come with the result.
        """
        self._spend()
        if self._ahead is None:
            self._ahead = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cliniko")
        return self._ahead.submit(lambda: then(self._page(resource, filters, sort, PER_PAGE, subset)))

    def _page(self, resource: str, filters: Sequence[str], sort: str, per_page: int, subset: str) -> Page:
        path = f"/{resource}/{subset}" if subset else f"/{resource}"
        body, clock = self._get(path, {"q[]": list(filters), "sort": sort, "per_page": per_page})
        records = body.get(resource)
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise Unreachable(f"Cliniko's answer holds no list of {resource}.")
        links = body.get("links")
        if not isinstance(links, dict):  # without them a cut page would pass for the last one
            raise Unreachable(f"Cliniko's list of {resource} does not say whether it goes on.")
        return Page(
            records=records, has_more=bool(links.get("next")), total=_count(body.get("total_entries")), clock=clock
        )

    def record(self, resource: str, cliniko_id: str) -> dict[str, Any]:
        """One record. Raises RecordNotFound and the other errors above."""
        self._spend()
        return self._get(f"/{resource}/{cliniko_id}")[0]

    def user(self) -> dict[str, Any]:
        """The Cliniko user who made the key."""
        self._spend()
        return self._get("/user")[0]

    def settings(self) -> dict[str, Any]:
        """The account's public settings: name, subdomain, time zone, words."""
        self._spend()
        return self._get("/settings/public")[0]

    def _spend(self) -> None:
        if self._budget:
            self._budget.spend()

    def _note(self, status: int | None) -> None:
        if self._budget:
            self._budget.answered(status)

    def _get(self, path: str, query: dict[str, Any] | None = None) -> tuple[dict[str, Any], datetime]:
        try:
            response, content = self._answer(path, query)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as failure:
            self._note(None)
            # The library's text holds the address; its type says enough.
            raise Unreachable(f"Cliniko cannot be reached ({type(failure).__name__}).") from None
        self._note(response.status_code)
        clock = _clock(response)
        _raise_for_status(response, content, clock)
        body = _parsed(content)
        if not isinstance(body, dict):
            raise Unreachable("Cliniko's answer has an unknown form.")
        return body, clock

    def _answer(self, path: str, query: dict[str, Any] | None) -> tuple[requests.Response, bytes]:
        """The answer with its whole body, within the client's seconds also when it comes in drops."""
        give_up = time.monotonic() + self._seconds
        limits = (min(CONNECT_TIMEOUT, self._seconds / 2), self._seconds / 2)
        content = bytearray()
        with self._session.get(
            self._base + path, params=query, timeout=limits, allow_redirects=False, stream=True
        ) as response:
            while chunk := response.raw.read1(65_536, decode_content=True):
                content += chunk
                if time.monotonic() > give_up:
                    raise requests.ReadTimeout
        return response, bytes(content)


def _parsed(content: bytes) -> Any:
    """The JSON value. What orjson is too strict for, lone surrogates and numbers beyond all bounds, is read all the
    same: one odd letter must not withhold a page of people. Raises Unreachable."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            return json.loads(content, parse_constant=_refuse_constant, parse_float=_finite)
        except (ValueError, RecursionError):
            raise Unreachable("Cliniko's answer is not JSON.") from None


def _finite(number: str) -> float | str:
    """The number, or its text where no number can hold it."""
    return float(number) if isfinite(float(number)) else number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


_NAMED: dict[int, tuple[type[ClinikoError], str]] = {
    401: (KeyInvalid, "Cliniko does not accept the API key."),
    403: (KeyForbidden, "The Cliniko user who made the API key may not read this."),
    404: (RecordNotFound, "Cliniko has no such record."),
}


def _clock(response: requests.Response) -> datetime:
    try:
        return parsedate_to_datetime(response.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.now(UTC)


def _count(value: object) -> int | None:
    """`total_entries`, which comes as a number or as text."""
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else None


def _raise_for_status(response: requests.Response, content: bytes, clock: datetime) -> None:
    status = response.status_code
    if status == 200:
        return
    if status == 429:
        raise RateLimited(_resume_at(response, clock))
    if status == 400 and b"not filterable" in content:
        raise NotFilterable("Cliniko cannot filter this list by that field.")
    if status in _NAMED:
        error, sentence = _NAMED[status]
        raise error(sentence)
    if 400 <= status < 500:
        raise RequestRefused(f"Cliniko refused the request with status {status}.")
    kind = ServerError if status >= 500 else Unreachable
    raise kind(f"Cliniko answered with status {status}.")


def _resume_at(response: requests.Response, clock: datetime) -> datetime:
    """When the limit resets, on our clock: the distance is measured on Cliniko's, since the two may differ."""
    reset = response.headers.get("X-RateLimit-Reset", "")
    after = response.headers.get("Retry-After", "")
    pause = DEFAULT_PAUSE
    if reset.isdecimal() and len(reset) <= 11:
        pause = datetime.fromtimestamp(int(reset), UTC) - clock
    elif after.isdecimal() and len(after) <= 6:
        pause = timedelta(seconds=int(after))
    pause = min(max(pause, timedelta(seconds=1)), LONGEST_PAUSE)
    return datetime.now(UTC) + pause
