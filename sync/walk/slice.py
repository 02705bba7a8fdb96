"""One slice of a clinic's sync: pages, each in one transaction with its cursor, until done or out of time."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import DataError, transaction
from django.utils import timezone

from sync.cliniko.client import Cliniko, Page
from sync.cliniko.errors import (
    BudgetSpent,
    ClinikoError,
    KeyForbidden,
    NotFilterable,
    RecordNotFound,
    RequestRefused,
    ServerError,
    Unreachable,
)
from sync.connection.state import backoff
from sync.models import Cursor
from sync.resources import PATIENTS, Listing, Resource
from sync.walk import deletions, reconcile
from sync.walk.keyset import advance, clock_went_back, fetch, prefetch
from sync.walk.lease import Lease
from sync.walk.schedule import due_listings
from sync.walk.store import ReadPage, next_sequence, read_page, store_page

log = structlog.get_logger(__name__)
REFUSED_RETRY = timedelta(hours=6)  # an administrator may have widened the role in Cliniko
PATIENTS_RETRY = timedelta(hours=1)
DELETED_INTERVAL = timedelta(minutes=10)  # sooner if the resource itself has changed
GAP = timedelta(days=1)  # after a gap of this length, everything is compared


@dataclass
class ResourceCounts:
    """What one run did with one resource. SyncRun.resources stores these names."""

    fetched: int = 0
    written: int = 0
    requests: int = 0
    mended: int = 0


@dataclass(frozen=True)
class WalkProgress:
    """How many records of a walk are done; `total` is None if Cliniko didn't say."""

    done: int
    total: int | None


@dataclass(frozen=True)
class FetchedPage:
    """A page, its parsed records, and the sequence number drawn before its request."""

    sequence: int
    page: Page
    read: ReadPage


OnPage = Callable[[Resource, WalkProgress], None]


@dataclass
class SyncSlice:
    """A worker's slice of one clinic's sync, limited to `seconds` and `pages`; None for no limit.

    Calls `on_page(resource, progress)` after each page, for a progress bar.
    """

    client: Cliniko
    lease: Lease
    seconds: float | None = None
    pages: int | None = None
    on_page: OnPage = lambda resource, progress: None
    counts: dict[str, ResourceCounts] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    _prefetched: Future[FetchedPage] | None = None
    _unchanged: dict[str, Cursor] = field(default_factory=dict)  # cursors of empty pages, by the name of their list
    _changed: set[str] = field(default_factory=set)  # imported resources with rows written

    def run(self) -> bool:
        """Walk every list that is due, then run the comparisons that are due. Returns False if the slice ended first.

        A list that Cliniko refuses or fails to give backs off on its own; the others are still walked. Raises
        KeyForbidden or ServerError if it is the list of patients, the other ClinikoErrors, and LeaseLost. What was
        committed before stays.
        """
        try:
            done = all(self._walk(listing, cursor) for listing, cursor in due_listings())
            done = done and all(self._compare(resource) for resource in reconcile.due_resources())
        except ClinikoError:
            self._save_unchanged_cursors()
            raise
        self._save_unchanged_cursors()
        patients = Cursor.objects.filter(resource=PATIENTS.name).first()
        if patients is not None and patients.refused_at:
            raise KeyForbidden("The Cliniko user who made the API key isn't allowed to read patients.")
        if patients is not None and patients.failures:
            raise ServerError("Cliniko can't give the list of patients at the moment.")
        return done

    @property
    def was_answered(self) -> bool:
        """Whether Cliniko returned any record."""
        return any(counts.fetched for counts in self.counts.values())

    def _walk(self, listing: Listing, cursor: Cursor) -> bool:
        """Walk one list. Returns False if the slice ended first."""
        step = self._check_deleted if listing.lists_deletions else self._walk_page
        try:
            while not self._is_over():
                if step(listing, cursor):
                    return True
        except (KeyForbidden, RecordNotFound):
            retry = PATIENTS_RETRY if listing.name == PATIENTS.name else REFUSED_RETRY
            self._update(cursor, refused_at=timezone.now(), due_at=timezone.now() + retry)
            log.warning("list_refused", list=listing.name)
            return True
        except (ServerError, RequestRefused):
            self._back_off(listing, cursor)
            return True
        except Unreachable:
            self._back_off(listing, cursor)
            raise
        return False

    def _walk_page(self, listing: Listing, cursor: Cursor) -> bool:
        """Fetch and store the list's next page. Returns whether it was the last."""
        counts = self._counts_for(listing)
        fetched = self._fetch(listing, cursor)
        page = fetched.page
        if clock_went_back(cursor, page):
            reconcile.request_comparison_once_settled(listing.resource)
        if cursor.walk_clock is None and cursor.checked_at is not None and timezone.now() - cursor.checked_at > GAP:
            reconcile.request_comparison(listing.resource)
        was_imported = cursor.imported_at is not None
        if cursor.walk_clock is None:
            cursor.walked, cursor.total = 0, page.total
        cursor.walked += len(page.records)
        done = advance(cursor, page, overlap=_overlap(), now=timezone.now())
        if done:
            _mark_walked(cursor, listing.resource.interval or timedelta(seconds=settings.SYNC_INTERVAL_SECONDS * 0.8))
        elif not self._is_over():
            self._prefetch(listing, cursor)
        written = 0
        if page.records:
            written = self._store(fetched, cursor)
        else:
            self._unchanged[listing.name] = cursor
        if written and was_imported:
            self._changed.add(listing.resource.name)
        counts.fetched += len(page.records)
        counts.written += written
        self.on_page(listing.resource, WalkProgress(cursor.walked, cursor.total))
        return done

    def _store(self, fetched: FetchedPage, cursor: Cursor) -> int:
        """Save rows and cursor in one transaction. If the database rejects a value, isolate it in a second attempt."""
        try:
            return self._commit(fetched, cursor, isolate=False)
        except DataError:
            return self._commit(fetched, cursor, isolate=True)

    def _commit(self, fetched: FetchedPage, cursor: Cursor, *, isolate: bool) -> int:
        with transaction.atomic():
            self.lease.renew()
            written = store_page(fetched.read, sequence=fetched.sequence, isolate=isolate)
            cursor.save()
        return written

    def _fetch(self, listing: Listing, cursor: Cursor) -> FetchedPage:
        """Return the prefetched page, or fetch it now."""
        prefetched, self._prefetched = self._prefetched, None
        if prefetched is not None:
            with suppress(NotFilterable):
                return prefetched.result()
        sequence = next_sequence()
        self._counts_for(listing).requests += 1
        page = fetch(self.client, listing, cursor)
        return FetchedPage(sequence, page, read_page(listing.resource, page.records))

    def _prefetch(self, listing: Listing, cursor: Cursor) -> None:
        """Fetch and parse the next page while this one is written. The slice isn't over before that page is used."""
        sequence = next_sequence()

        def parse(page: Page) -> FetchedPage:
            return FetchedPage(sequence, page, read_page(listing.resource, page.records))

        with suppress(BudgetSpent):  # the next step raises it, when this page is written
            self._prefetched = prefetch(self.client, listing, cursor, parse=parse)
            self._counts_for(listing).requests += 1

    def _check_deleted(self, listing: Listing, cursor: Cursor) -> bool:
        """Check a list of deleted records. Returns False if there is more to read."""
        sequence = next_sequence()
        counts = self._counts_for(listing)
        counts.requests += 1
        answer = deletions.fetch_deleted(self.client, listing, cursor)
        counts.requests += answer.requests - 1
        with transaction.atomic():
            self.lease.renew()
            found = deletions.mark_records_deleted(listing, answer, sequence=sequence)
            done = deletions.advance(listing, cursor, answer, found, overlap=_overlap(), now=timezone.now())
            if done:
                _mark_walked(cursor, DELETED_INTERVAL)
            cursor.save()
        counts.written += found
        return done

    def _save_unchanged_cursors(self) -> None:
        """Save the cursors of lists without new records in one transaction; no rows depend on them."""
        if not self._unchanged and not self._changed:
            return
        with transaction.atomic():
            self.lease.renew()
            for cursor in self._unchanged.values():
                cursor.save()
            deletions.mark_due(self._changed)

    def _compare(self, resource: Resource) -> bool:
        """Compare one resource. Returns False if the slice ended first."""
        counts = self._counts_for(Listing(resource))
        try:
            while not self._is_over():
                counts.requests += 1
                compared = reconcile.compare_page(self.client, self.lease, resource, is_over=self._is_over)
                counts.fetched += compared.records
                counts.requests += compared.reread
                counts.mended += compared.mended
                counts.written += compared.mended
                self.on_page(resource, WalkProgress(compared.compared, compared.total))
                if compared.done:
                    return True
        except (KeyForbidden, RecordNotFound, RequestRefused, Unreachable) as failure:
            reconcile.postpone(resource)
            log.warning("comparison_postponed", resource=resource.name, reason=type(failure).__name__)
            return True
        return False

    def _back_off(self, listing: Listing, cursor: Cursor) -> None:
        self._update(cursor, failures=cursor.failures + 1, due_at=timezone.now() + backoff(cursor.failures))
        log.warning("list_failed", list=listing.name)

    def _update(self, cursor: Cursor, **changes: object) -> None:
        self._unchanged.pop(cursor.pk, None)
        with transaction.atomic():
            self.lease.renew()
            Cursor.objects.filter(pk=cursor.pk).update(**changes)

    def _counts_for(self, listing: Listing) -> ResourceCounts:
        return self.counts.setdefault(listing.resource.name, ResourceCounts())

    def _is_over(self) -> bool:
        if self._prefetched is not None:
            return False
        requests = sum(counts.requests for counts in self.counts.values())
        late = self.seconds is not None and time.monotonic() - self.started >= self.seconds
        return late or (self.pages is not None and requests >= self.pages)


def _overlap() -> timedelta:
    return timedelta(seconds=settings.SYNC_OVERLAP_SECONDS)


def _mark_walked(cursor: Cursor, pause: timedelta) -> None:
    cursor.refused_at, cursor.failures, cursor.due_at = None, 0, timezone.now() + pause
