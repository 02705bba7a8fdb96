"""Cliniko's lists of deleted records: counted first, and read only if the count has changed.

Deleting a record may leave its `updated_at` unchanged, so only the count reveals the deletion. Records deleted before
the import don't matter: the first count is the baseline.
# Reference: docs.api.cliniko.com, "Get deleted patients" and the like; docs/sync.md
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from sync.cliniko.client import Cliniko, Page
from sync.cliniko.errors import NotFilterable
from sync.cliniko.payloads import deleted_id
from sync.models import Cursor
from sync.resources import Listing
from sync.walk import reconcile
from sync.walk.keyset import SORT_BY_ID, finish, format_time, last_id
from sync.walk.store import mark_deleted


@dataclass(frozen=True)
class DeletedListing:
    """The count, and the deleted records if they had to be read. A walk by id makes no count."""

    counted: Page | None
    page: Page | None

    @property
    def requests(self) -> int:
        return sum(answer is not None for answer in (self.counted, self.page))


def fetch_deleted(client: Cliniko, listing: Listing, cursor: Cursor) -> DeletedListing:
    """Fetch the count and the recently deleted records; or, in a walk of all by id, the next page."""
    name, subset = listing.resource.name, listing.subset
    if cursor.after_id:
        by_id = (f"id:>{cursor.after_id}",)
        return DeletedListing(None, client.list(name, subset=subset, filters=by_id, sort=SORT_BY_ID))
    counted = client.list(name, subset=subset, sort=SORT_BY_ID, per_page=1)
    if cursor.imported_at is None or cursor.cursor is None or _same_count(cursor, counted):
        return DeletedListing(counted, None)
    recently = (f"updated_at:>={format_time(cursor.cursor)}",)
    try:
        return DeletedListing(counted, client.list(name, subset=subset, filters=recently, sort=SORT_BY_ID))
    except NotFilterable:
        return DeletedListing(counted, None)


def mark_records_deleted(listing: Listing, answer: DeletedListing, *, sequence: int) -> int:
    """Mark the listed records as deleted. Returns how many were live here."""
    ids = [found for record in (answer.page.records if answer.page else ()) if (found := deleted_id(record))]
    return mark_deleted(listing.resource, ids, sequence=sequence) if ids else 0


def advance(
    listing: Listing, cursor: Cursor, answer: DeletedListing, found: int, *, overlap: timedelta, now: datetime
) -> bool:
    """Move the cursor on; `found` is how many live records were marked as deleted.

    Returns False if the walk isn't finished: all deleted records must be read when the recent ones don't account for
    the count.
    """
    if answer.counted is None:
        if answer.page is not None and answer.page.has_more:
            cursor.after_id = str(last_id(answer.page, after=int(cursor.after_id)))
            return False
        finish(cursor, overlap=overlap, now=now)
        return True
    change = (answer.counted.total or 0) - (cursor.total or 0)
    explained = cursor.imported_at is None or _same_count(cursor, answer.counted)
    if answer.page is not None:
        explained = not answer.page.has_more and found >= change
    cursor.total = answer.counted.total
    cursor.walk_clock = min(answer.counted.clock, now)
    if change < 0:
        reconcile.request_comparison(listing.resource)  # some records were restored
    if not explained or _starts_late(listing, cursor):
        cursor.after_id = "0"
        return False
    finish(cursor, overlap=overlap, now=now)
    return True


def _starts_late(listing: Listing, cursor: Cursor) -> bool:
    """Return whether records arrived before the first count (by launches, or while this list failed).

    Some of them may have been deleted before that count.
    """
    if cursor.imported_at is not None or cursor.total == 0:
        return False
    return listing.resource.model._default_manager.filter(deleted_at=None).exists()


def mark_due(resources: Iterable[str]) -> None:
    """Mark the lists of deleted records as due for resources that changed: deletions are likely too."""
    names = [f"{name}/deleted" for name in resources]
    if names:
        Cursor.objects.filter(resource__in=names, refused_at=None, failures=0).update(due_at=timezone.now())


def _same_count(cursor: Cursor, counted: Page) -> bool:
    return counted.total is not None and counted.total == cursor.total
