"""Keyset pagination: every request is for page 1 under a filter that starts where the last page ended.

Page numbers are never used: they are positions in a list that changes while it is read.
# Reference: docs/sync.md
"""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog

from sync.cliniko.client import Cliniko, Page, Parsed
from sync.cliniko.errors import NotFilterable, Unreachable
from sync.cliniko.payloads import PayloadRefused, cliniko_id, deleted_id, required_timestamp
from sync.models import Cursor
from sync.resources import Listing

log = structlog.get_logger(__name__)
SECOND = timedelta(seconds=1)
SORT_BY_ID = "id:asc"
Key = TypeVar("Key", int, datetime)


@dataclass(frozen=True)
class PageQuery:
    """The filters and the order of one request."""

    filters: tuple[str, ...]
    sort: str


def next_query(cursor: Cursor) -> PageQuery:
    """Return the query for the cursor's next page."""
    if cursor.imported_at is None:
        return PageQuery((f"id:>{cursor.after_id or 0}",), SORT_BY_ID)
    since = _since(cursor)
    if cursor.after_id:  # a whole page shared this second: walk it by id
        # Up to the next second instead of "<=" this one: times may have fractions that Cliniko doesn't show.
        second = (f"updated_at:>={format_time(since)}", f"updated_at:<{format_time(since + SECOND)}")
        return PageQuery((*second, f"id:>{cursor.after_id}"), SORT_BY_ID)
    return PageQuery((f"updated_at:>={format_time(since)}",), "updated_at:asc,id:asc")


def fetch(client: Cliniko, listing: Listing, cursor: Cursor, query: PageQuery | None = None) -> Page:
    """Fetch the cursor's next page, or that of `query`.

    If Cliniko rejects the filters for hidden records, sets `cursor.asks_hidden` to False and tries without them.
    """
    query = query or next_query(cursor)
    try:
        return client.list(listing.resource.name, **_parameters(listing, cursor, query))
    except NotFilterable:
        if not cursor.asks_hidden:
            raise
        log.warning("hidden_records_not_listed", resource=listing.name)
        cursor.asks_hidden = False
        return client.list(listing.resource.name, **_parameters(listing, cursor, query))


def prefetch(client: Cliniko, listing: Listing, cursor: Cursor, *, parse: Callable[[Page], Parsed]) -> Future[Parsed]:
    """Fetch the cursor's next page and `parse` it in the background. Raises BudgetSpent."""
    return client.prefetch(listing.resource.name, **_parameters(listing, cursor, next_query(cursor)), parse=parse)


def _parameters(listing: Listing, cursor: Cursor, query: PageQuery) -> dict[str, Any]:
    hidden = listing.resource.hidden if cursor.asks_hidden and not listing.subset else ()
    filters = (*query.filters, *(f"{field}:*" for field in hidden))
    return {"subset": listing.subset, "filters": filters, "sort": query.sort}


def advance(cursor: Cursor, page: Page, *, overlap: timedelta, now: datetime) -> bool:
    """Move the cursor past this page. Returns True at the end of the walk, and sets where the next walk starts.

    Raises Unreachable for a page that has a next page but doesn't advance, since the walk would never end.
    """
    if cursor.walk_clock is None:
        cursor.walk_clock = min(page.clock, now)  # a clock that runs ahead would skip changes made until then
    if page.has_more:
        _move(cursor, page)
        return False
    if cursor.imported_at is not None and cursor.after_id:  # the shared second is read: continue with the next one
        cursor.position, cursor.after_id = _since(cursor) + SECOND, ""
        return False
    finish(cursor, overlap=overlap, now=now)
    return True


def finish(cursor: Cursor, *, overlap: timedelta, now: datetime) -> None:
    """End the walk. The next one starts at Cliniko's clock of this walk's first page, less the overlap."""
    began = cursor.walk_clock or now
    cursor.cursor = max(cursor.cursor, began - overlap) if cursor.cursor else began - overlap
    cursor.imported_at = cursor.imported_at or now
    cursor.checked_at = began
    cursor.position, cursor.walk_clock, cursor.after_id = None, None, ""


def clock_went_back(cursor: Cursor, page: Page) -> bool:
    """Return whether Cliniko's clock is behind the cursor. Changes until it catches up would be missed by time."""
    return cursor.cursor is not None and page.clock < cursor.cursor


def last_id(page: Page, *, after: int) -> int:
    """Return the page's last id. Raises Unreachable if it is not above `after`."""
    found = _last(page, lambda record: int(deleted_id(record) or cliniko_id(record)))
    if found <= after:
        raise Unreachable("Cliniko's pages don't advance.")
    return found


def _move(cursor: Cursor, page: Page) -> None:
    if cursor.imported_at is None or cursor.after_id:
        cursor.after_id = str(last_id(page, after=int(cursor.after_id or 0)))
        return
    since, last_change = _since(cursor), _last(page, lambda record: required_timestamp(record, "updated_at"))
    if last_change < since.replace(microsecond=0):
        raise Unreachable("Cliniko's pages are out of order.")
    if last_change - since < SECOND:
        # The whole page shares this second, and its ids may be in any order: read the second from its first id.
        cursor.position, cursor.after_id = since.replace(microsecond=0), "0"
    else:
        cursor.position = last_change


def _last(page: Page, read: Callable[[dict[str, Any]], Key]) -> Key:
    """Return the last record's key. Skips records that can't be parsed: they are quarantined elsewhere."""
    keys = []
    for record in page.records:
        with suppress(PayloadRefused):
            keys.append(read(record))
    if not keys:
        raise Unreachable("Cliniko's page says that there are more, but has no record to continue from.")
    if keys != sorted(keys):
        raise Unreachable("Cliniko's pages are out of order.")
    return keys[-1]


def _since(cursor: Cursor) -> datetime:
    since = cursor.position or cursor.cursor
    if since is None:
        raise ValueError("An imported list must have a cursor.")
    return since


def format_time(moment: datetime) -> str:
    """Format a time for Cliniko's filters: whole seconds, rounded down."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
