"""Read the users of the clinic's Cliniko account. They aren't stored."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from sync.cliniko.client import Cliniko
from sync.cliniko.errors import ClinikoError, Unreachable
from sync.cliniko.payloads import text
from sync.connection import state as connection_state
from sync.connection.outcome import Outcome, blocked, record_outcome

PAGE_TIMEOUT = 4.0  # seconds
LAST_PAGE_AFTER = 5.0  # seconds; the browser waits ten


@dataclass(frozen=True)
class ClinikoUser:
    """A user in Cliniko. `email` is lower case, "" if there is none."""

    name: str
    email: str
    role: str
    is_active: bool


@dataclass(frozen=True)
class ClinikoUsers:
    """All users with FRESH, or why they couldn't be read."""

    outcome: Outcome
    users: tuple[ClinikoUser, ...] = ()


def cliniko_users() -> ClinikoUsers:
    """Ask Cliniko for all users, within the share of requests for background work. Cliniko's errors are returned as an
    Outcome, never raised."""
    if known := blocked():
        return ClinikoUsers(known)
    connection = connection_state.load()
    try:
        with closing(connection_state.open_client(connection, timeout=PAGE_TIMEOUT)) as client:
            return ClinikoUsers(Outcome.FRESH, tuple(_all_users(client)))
    except ClinikoError as failure:
        return ClinikoUsers(record_outcome(failure, connection))


def _all_users(client: Cliniko) -> Iterator[ClinikoUser]:
    """Yield all users by id, because the list may change between pages. Raises Unreachable rather than end early: users
    missing from a partial list would look like leavers."""
    began, after = time.monotonic(), ""
    while True:
        page = client.list("users", filters=(f"id:>{after}",) if after else (), sort="id:asc")
        for user in page.records:
            yield ClinikoUser(
                name=f"{text(user, 'first_name')} {text(user, 'last_name')}".strip(),
                email=text(user, "email").lower(),
                role=text(user, "role"),
                # Reference: https://github.com/redguava/cliniko-api/blob/master/sections/users.md
                is_active=user.get("user_active") is not False,
            )
        if not page.has_more:
            return
        after = text(page.records[-1], "id") if page.records else ""
        if not after.isdecimal() or time.monotonic() - began > LAST_PAGE_AFTER:
            raise Unreachable("Cliniko's list of users can't be read to its end.")
