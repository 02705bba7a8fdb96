"""The two keyset walks. Each step is one request for page 1 under a filter, and says where the next step stands.

Page numbers are never used: they are positions in a list that moves while one reads.
# Reference: docs/sync.md
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.cliniko import Cliniko, Page, RequestRefused, Unreachable
from sync.models import Cursor
from sync.payloads import PayloadRefused, cliniko_id, needed_moment
from sync.resources import Resource

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Step:
    """What to ask for."""

    filters: tuple[str, ...]
    sort: str


def next_step(cursor: Cursor) -> Step:
    """The request that carries this cursor on."""
    if cursor.imported_at is None:
        return Step((f"id:>{cursor.after_id or 0}",), "id:asc")
    since = _since(cursor)
    if cursor.after_id:  # a whole page shared this second: read the second by id
        return Step(
            (f"updated_at:>={stamp(since)}", f"updated_at:<={stamp(since)}", f"id:>{cursor.after_id}"), "id:asc"
        )
    return Step((f"updated_at:>={stamp(since)}",), "updated_at:asc,id:asc")


def ask(client: Cliniko, resource: Resource, cursor: Cursor) -> Page:
    """Make the cursor's request. Drops the filters for hidden records for good where Cliniko refuses them."""
    step = next_step(cursor)
    if cursor.asks_hidden:
        try:
            return client.list(resource.name, filters=(*step.filters, *resource.hidden), sort=step.sort)
        except RequestRefused:
            cursor.asks_hidden = False
    return client.list(resource.name, filters=step.filters, sort=step.sort)


def advance(cursor: Cursor, page: Page, *, overlap: timedelta, now: datetime) -> bool:
    """Move the cursor past this page. True when the walk is at its end, which also sets the next walk's start.

    Raises Unreachable for a page that claims to go on and does not move: walking it would never end.
    """
    if cursor.walk_clock is None:
        cursor.walk_clock = page.clock
    if page.has_more:
        _move(cursor, page)
        return False
    if cursor.imported_at is not None and cursor.after_id:  # the crowded second is read: on from the next one
        cursor.position, cursor.after_id = _since(cursor) + SECOND, ""
        return False
    start = cursor.walk_clock - overlap
    cursor.cursor = max(cursor.cursor, start) if cursor.cursor else start
    cursor.imported_at = cursor.imported_at or now
    cursor.checked_at, cursor.walked_at = cursor.walk_clock, now
    cursor.position, cursor.walk_clock, cursor.after_id = None, None, ""
    return True


def _move(cursor: Cursor, page: Page) -> None:
    try:
        last_id = max((cliniko_id(record) for record in page.records), key=int)
        last_change = needed_moment(page.records[-1], "updated_at")
    except (ValueError, IndexError, PayloadRefused):
        raise Unreachable("Cliniko's page says that more follows, and shows nothing to go on from.") from None
    by_id = cursor.imported_at is None or bool(cursor.after_id)
    if by_id:
        if int(last_id) <= int(cursor.after_id or 0):
            raise Unreachable("Cliniko's pages do not move on.")
        cursor.after_id = last_id
        return
    since = _since(cursor)
    if last_change < since:
        raise Unreachable("Cliniko's pages are out of order.")
    if last_change - since < SECOND:
        # Nothing but this second on a whole page. Its ids may be in any order, so read the second from its first id.
        cursor.position, cursor.after_id = since.replace(microsecond=0), "0"
    else:
        cursor.position = last_change


def _since(cursor: Cursor) -> datetime:
    since = cursor.position or cursor.cursor
    if since is None:
        raise ValueError("A resource that was imported has a cursor.")
    return since


def stamp(moment: datetime) -> str:
    """A time as Cliniko's filters take it; whole seconds, rounded down."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
