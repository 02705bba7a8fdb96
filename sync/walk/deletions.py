"""Cliniko's lists of deleted records: counted first, and read only when the count has moved.

A deletion need not move a record's `updated_at`, so the count is what tells of it. What was deleted before the import
began is none of the mirror's business: the first count is where it starts from.
# Reference: docs.api.cliniko.com, "Get deleted patients" and the like; docs/sync.md
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from sync.cliniko.client import Cliniko, Page
from sync.cliniko.errors import NotFilterable, Unreachable
from sync.cliniko.payloads import gone_id
from sync.models import Cursor
from sync.resources import Listing
from sync.walk import reconcile
from sync.walk.keyset import BY_ID, finish, last_id, stamp
from sync.walk.store import mark_deleted


@dataclass(frozen=True)
class DeletedListing:
    """What was asked: the count, and the deleted records when there was reason to read them."""

    counted: Page | None
    page: Page | None

    @property
    def requests(self) -> int:
        return sum(answer is not None for answer in (self.counted, self.page))


def fetch_deleted(client: Cliniko, listing: Listing, cursor: Cursor) -> DeletedListing:
    """Make the cursor's next requests: the count, then those deleted lately; or the next page of all by id."""
    name, subset = listing.resource.name, listing.subset
    if cursor.after_id:
        by_id = (f"id:>{cursor.after_id}",)
        return DeletedListing(None, client.list(name, subset=subset, filters=by_id, sort=BY_ID))
    counted = client.list(name, subset=subset, sort=BY_ID, per_page=1)
    if cursor.imported_at is None or cursor.cursor is None or _unmoved(cursor, counted):
        return DeletedListing(counted, None)
    lately = (f"updated_at:>={stamp(cursor.cursor)}",)
    try:
        return DeletedListing(counted, client.list(name, subset=subset, filters=lately, sort=BY_ID))
    except NotFilterable:
        return DeletedListing(counted, None)


def mark_records_deleted(listing: Listing, answer: DeletedListing, *, sequence: int) -> int:
    """Make tombstones of the records that were told deleted; returns how many were live here until now."""
    ids = [found for record in (answer.page.records if answer.page else ()) if (found := gone_id(record))]
    return mark_deleted(listing.resource, ids, sequence=sequence) if ids else 0


def advance(
    listing: Listing, cursor: Cursor, answer: DeletedListing, found: int, *, overlap: timedelta, now: datetime
) -> bool:
    """Move the cursor on. False when all deleted records have to be read, since those deleted lately do not account
    for the count."""
    if answer.counted is None:
        return _advance_by_id(cursor, answer.page, overlap=overlap, now=now)
    moved = (answer.counted.total or 0) - (cursor.total or 0)
    explained = cursor.imported_at is None or _unmoved(cursor, answer.counted)
    if answer.page is not None:
        explained = not answer.page.has_more and found >= moved
    cursor.total = answer.counted.total
    cursor.walk_clock = min(answer.counted.clock, now)
    if moved < 0:
        reconcile.request(listing.resource)  # some came back
    if not explained or _begins_late(listing, cursor):
        cursor.after_id = "0"
        return False
    finish(cursor, overlap=overlap, now=now)
    return True


def _begins_late(listing: Listing, cursor: Cursor) -> bool:
    """Whether records came here before the first count, by launches or while this list failed: some of those deleted
    may be among them."""
    if cursor.imported_at is not None or cursor.total == 0:
        return False
    return listing.resource.model._default_manager.filter(deleted_at=None).exists()


def mark_due(resources: Iterable[str]) -> None:
    """Something moved in these resources, so that deletions are likely, too."""
    names = [f"{name}/deleted" for name in resources]
    if names:
        Cursor.objects.filter(resource__in=names, refused_at=None, failures=0).update(due_at=timezone.now())


def _advance_by_id(cursor: Cursor, page: Page | None, *, overlap: timedelta, now: datetime) -> bool:
    if page is not None and page.has_more:
        reached = last_id(page)
        if reached <= int(cursor.after_id):
            raise Unreachable("Cliniko's pages do not move on.")
        cursor.after_id = str(reached)
        return False
    finish(cursor, overlap=overlap, now=now)
    return True


def _unmoved(cursor: Cursor, counted: Page) -> bool:
    return counted.total is not None and counted.total == cursor.total
