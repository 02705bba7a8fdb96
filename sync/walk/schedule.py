"""Which lists are due to be walked, and in which order."""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.utils import timezone

from sync.models import Cursor
from sync.resources import BY_NAME, RESOURCES, Listing, listings
from sync.walk import reconcile

BEGINNING = datetime.min.replace(tzinfo=UTC)


def due_listings() -> Iterator[tuple[Listing, Cursor]]:
    """Give the lists that are due: first what is imported and waits longest, so that a long import keeps nobody's
    changes waiting; then imports, in the order of the table. A list that turns out to be needed on the way comes last.
    """
    seen: set[str] = set()
    while due := [pair for pair in _cursors() if pair[1].due_at <= timezone.now() and pair[0].name not in seen]:
        due.sort(key=lambda pair: _rank(pair[1]))
        for listing, cursor in due:
            seen.add(listing.name)
            yield listing, cursor


def _rank(cursor: Cursor) -> tuple[bool, bool, datetime]:
    """The order of walks: short ones, then a long one of an imported list that is under way, then imports."""
    under_way = cursor.walk_clock is not None or bool(cursor.after_id)
    importing = cursor.imported_at is None
    return importing, under_way and not importing, BEGINNING if importing else cursor.due_at


def _cursors() -> list[tuple[Listing, Cursor]]:
    """Every list to walk with its cursor, made where it is missing."""
    held = {cursor.resource: cursor for cursor in Cursor.objects.all()}
    found = []
    for resource in RESOURCES:
        main = held.get(resource.name)
        for listing in listings(resource, asks_hidden=main is None or main.asks_hidden):
            cursor = held.get(listing.name) or Cursor.objects.get_or_create(resource=listing.name)[0]
            found.append((listing, cursor))
    return found


def mark_all_due() -> None:
    """Make the next run ask for every list, whenever it was asked last."""
    Cursor.objects.update(due_at=timezone.now())


def reconcile_all() -> None:
    """Make the next runs read every record again and mend what differs; nothing is forgotten meanwhile. What is still
    being imported is read once in any case."""
    Cursor.objects.update(due_at=timezone.now(), asks_hidden=True)
    for name in Cursor.objects.exclude(imported_at=None).values_list("resource", flat=True):
        if name in BY_NAME:
            reconcile.request(BY_NAME[name])
