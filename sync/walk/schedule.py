"""Which lists are due to be walked, and in which order."""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.utils import timezone

from sync.models import Cursor
from sync.resources import BY_NAME, RESOURCES, Listing, listings
from sync.walk import reconcile

BEGINNING = datetime.min.replace(tzinfo=UTC)


def due_listings() -> Iterator[tuple[Listing, Cursor]]:
    """Yield the lists that are due: imported ones first, longest overdue first, then imports in the order of RESOURCES.

    This way a long import doesn't delay changes. Lists that become due during the run come last.
    """
    seen: set[str] = set()
    while due := [pair for pair in _cursors() if pair[1].due_at <= timezone.now() and pair[0].name not in seen]:
        due.sort(key=lambda pair: _rank(pair[1]))
        for listing, cursor in due:
            seen.add(listing.name)
            yield listing, cursor


def _rank(cursor: Cursor) -> tuple[bool, bool, datetime]:
    """Sort short walks first, then walks under way of imported lists, then imports."""
    in_progress = cursor.walk_clock is not None or bool(cursor.after_id)
    importing = cursor.imported_at is None
    return importing, in_progress and not importing, BEGINNING if importing else cursor.due_at


def _cursors() -> list[tuple[Listing, Cursor]]:
    """Return every list to walk with its cursor, which is created if missing."""
    cursors = {cursor.resource: cursor for cursor in Cursor.objects.all()}
    found = []
    for resource in RESOURCES:
        main = cursors.get(resource.name)
        for listing in listings(resource, asks_hidden=main is None or main.asks_hidden):
            cursor = cursors.get(listing.name) or Cursor.objects.get_or_create(resource=listing.name)[0]
            found.append((listing, cursor))
    return found


def mark_all_due() -> None:
    """Mark every list as due."""
    Cursor.objects.update(due_at=timezone.now())


def reconcile_all() -> None:
    """Have the next runs compare every imported record and correct what differs. Nothing is deleted in the meantime.

    Lists whose import is unfinished are read once anyway.
    """
    Cursor.objects.update(due_at=timezone.now(), asks_hidden=True)
    for name in Cursor.objects.exclude(imported_at=None).values_list("resource", flat=True):
        if name in BY_NAME:
            reconcile.request_comparison(BY_NAME[name])
