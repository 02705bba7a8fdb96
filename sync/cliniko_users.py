"""Who has an account in the clinic's Cliniko: read when somebody wants to know, and kept nowhere."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sync.cliniko.client import Cliniko
from sync.cliniko.errors import BudgetSpent, ClinikoError, KeyInvalid, RateLimited, Unreachable
from sync.cliniko.payloads import text
from sync.connection import state as connection_state
from sync.connection.outcome import Outcome, blocked, outcome_of

RESOURCE = "users"
SECONDS_A_PAGE = 4.0
NO_NEW_PAGE_AFTER = 5.0  # seconds; the browser waits ten


@dataclass(frozen=True)
class ClinikoUser:
    """A user as Cliniko has them; `email` in small letters, "" when there is none."""

    name: str
    email: str
    role: str
    is_active: bool


@dataclass(frozen=True)
class ClinikoUsers:
    """FRESH with all users, or why they could not be read."""

    outcome: Outcome
    users: tuple[ClinikoUser, ...] = ()


def cliniko_users() -> ClinikoUsers:
    """Ask Cliniko for all users, from the share of requests that launches leave. Never raises for what Cliniko does."""
    known = blocked()
    if known:
        return ClinikoUsers(known)
    held = connection_state.load()
    try:
        with closing(connection_state.open_client(held, timeout=SECONDS_A_PAGE)) as client:
            return ClinikoUsers(Outcome.FRESH, tuple(map(_user, _walk(client))))
    except BudgetSpent as spent:
        return ClinikoUsers(outcome_of(spent))
    except (KeyInvalid, RateLimited) as failure:
        connection_state.record_failure(failure, held)  # these hold for every request
        return ClinikoUsers(outcome_of(failure))
    except ClinikoError as failure:
        return ClinikoUsers(outcome_of(failure))


def _walk(client: Cliniko) -> Iterator[dict[str, Any]]:
    """By id, as the list may move meanwhile. Half a list is none: whoever is missing would seem to have left."""
    began, after = time.monotonic(), ""
    while True:
        page = client.list(RESOURCE, filters=(f"id:>{after}",) if after else (), sort="id:asc")
        yield from page.records
        if not page.has_more:
            return
        after = text(page.records[-1], "id") if page.records else ""
        if not after.isdecimal() or time.monotonic() - began > NO_NEW_PAGE_AFTER:
            raise Unreachable("Cliniko's list of users cannot be read to its end.")


def _user(payload: dict[str, Any]) -> ClinikoUser:
    return ClinikoUser(
        name=f"{text(payload, 'first_name')} {text(payload, 'last_name')}".strip(),
        email=text(payload, "email").strip().lower(),
        role=text(payload, "role"),
        # Reference: https://github.com/redguava/cliniko-api/blob/master/sections/users.md
        is_active=payload.get("user_active") is not False,
    )
