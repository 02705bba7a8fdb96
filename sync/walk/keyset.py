"""The keyset walks. Each step is one request for page 1 under a filter, and says where the next step stands.

Page numbers are never used: they are positions in a list that moves while one reads.
# Reference: docs/sync.md
"""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog

from sync.cliniko.client import Answer, Cliniko, Page
from sync.cliniko.errors import NotFilterable, Unreachable
from sync.cliniko.payloads import PayloadRefused, cliniko_id, gone_id, needed_moment
from sync.models import Cursor
from sync.resources import Listing

log = structlog.get_logger(__name__)
SECOND = timedelta(seconds=1)
BY_ID = "id:asc"
Place = TypeVar("Place", int, datetime)


@dataclass(frozen=True)
class WalkStep:
    """What to ask for."""

    filters: tuple[str, ...]
    sort: str


def next_step(cursor: Cursor) -> WalkStep:
    """The request that carries this cursor on."""
    if cursor.imported_at is None:
        return WalkStep((f"id:>{cursor.after_id or 0}",), BY_ID)
    since = _since(cursor)
    if cursor.after_id:  # a whole page shared this second: read it by id
        # Up to the next second, and not "<=" this one: times may have fractions that are not shown.
        second = (f"updated_at:>={stamp(since)}", f"updated_at:<{stamp(since + SECOND)}")
        return WalkStep((*second, f"id:>{cursor.after_id}"), BY_ID)
    return WalkStep((f"updated_at:>={stamp(since)}",), "updated_at:asc,id:asc")


def ask(client: Cliniko, listing: Listing, cursor: Cursor, step: WalkStep | None = None) -> Page:
    """Make the cursor's request, or that of `step`. Drops the filters for hidden records for good where Cliniko
    refuses them."""
    step = step or next_step(cursor)
    try:
        return client.list(listing.resource.name, **_question(listing, cursor, step))
    except NotFilterable:
        if not cursor.asks_hidden:
            raise
        log.warning("hidden_records_not_listed", resource=listing.name)
        cursor.asks_hidden = False
        return client.list(listing.resource.name, **_question(listing, cursor, step))


def ask_ahead(client: Cliniko, listing: Listing, cursor: Cursor, *, then: Callable[[Page], Answer]) -> Future[Answer]:
    """What `then` makes of the same, under way while the caller goes on. Raises BudgetSpent."""
    return client.list_ahead(listing.resource.name, **_question(listing, cursor, next_step(cursor)), then=then)


def _question(listing: Listing, cursor: Cursor, step: WalkStep) -> dict[str, Any]:
    wanted = listing.resource.hidden if cursor.asks_hidden and not listing.subset else ()
    filters = (*step.filters, *(f"{field}:*" for field in wanted))
    return {"subset": listing.subset, "filters": filters, "sort": step.sort}


def advance(cursor: Cursor, page: Page, *, overlap: timedelta, now: datetime) -> bool:
    """Move the cursor past this page. True when the walk is at its end, which also sets the next walk's start.

    Raises Unreachable for a page that claims to go on and does not move: walking it would never end.
    """
    if cursor.walk_clock is None:
        cursor.walk_clock = min(page.clock, now)  # a clock that runs ahead would skip what changes until then
    if page.has_more:
        _move(cursor, page)
        return False
    if cursor.imported_at is not None and cursor.after_id:  # the crowded second is read: on from the next one
        cursor.position, cursor.after_id = _since(cursor) + SECOND, ""
        return False
    finish(cursor, overlap=overlap, now=now)
    return True


def finish(cursor: Cursor, *, overlap: timedelta, now: datetime) -> None:
    """The walk under way is at its end: the next begins at Cliniko's clock of its first page, less the overlap."""
    began = cursor.walk_clock or now
    cursor.cursor = max(cursor.cursor, began - overlap) if cursor.cursor else began - overlap
    cursor.imported_at = cursor.imported_at or now
    cursor.checked_at = began
    cursor.position, cursor.walk_clock, cursor.after_id = None, None, ""


def clock_went_back(cursor: Cursor, page: Page) -> bool:
    """Whether Cliniko's clock is behind the cursor: what changes until it has caught up is stamped too early to be
    found by time."""
    return cursor.cursor is not None and page.clock < cursor.cursor


def last_id(page: Page) -> int:
    """The id that the next page of a walk by id begins after. Raises Unreachable."""
    return _last(page, lambda record: int(gone_id(record) or cliniko_id(record)))


def _move(cursor: Cursor, page: Page) -> None:
    if cursor.imported_at is None or cursor.after_id:
        reached = last_id(page)
        if reached <= int(cursor.after_id or 0):
            raise Unreachable("Cliniko's pages do not move on.")
        cursor.after_id = str(reached)
        return
    since, last_change = _since(cursor), _last(page, lambda record: needed_moment(record, "updated_at"))
    if last_change < since.replace(microsecond=0):
        raise Unreachable("Cliniko's pages are out of order.")
    if last_change - since < SECOND:
        # Nothing but this second on a whole page. Its ids may be in any order, so read the second from its first id.
        cursor.position, cursor.after_id = since.replace(microsecond=0), "0"
    else:
        cursor.position = last_change


def _last(page: Page, read: Callable[[dict[str, Any]], Place]) -> Place:
    """How far the page leads. A record that cannot be read is kept aside elsewhere and stops nobody."""
    places = []
    for record in page.records:
        with suppress(PayloadRefused):
            places.append(read(record))
    if not places:
        raise Unreachable("Cliniko's page says that more follows, and shows nothing to go on from.")
    if places != sorted(places):
        raise Unreachable("Cliniko's pages are out of order.")
    return places[-1]


def _since(cursor: Cursor) -> datetime:
    since = cursor.position or cursor.cursor
    if since is None:
        raise ValueError("A list that was imported has a cursor.")
    return since


def stamp(moment: datetime) -> str:
    """A time as Cliniko's filters take it; whole seconds, rounded down."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
