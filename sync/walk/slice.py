"""One slice of a clinic's sync: pages, each with its cursor in one transaction, until done or out of time."""

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
from sync.walk.keyset import advance, ask, ask_ahead, clock_went_back
from sync.walk.lease import Lease
from sync.walk.schedule import due_listings
from sync.walk.store import ReadPage, next_sequence, read_page, store_page

log = structlog.get_logger(__name__)
ASK_REFUSED_AGAIN = timedelta(hours=6)  # a role may be widened in Cliniko without our knowing
ASK_PATIENTS_AGAIN = timedelta(hours=1)
LOOK_FOR_DELETED = timedelta(minutes=10)  # sooner when the list itself has moved
GAP = timedelta(days=1)  # after so long without a look, everything is compared


@dataclass
class ResourceCounts:
    """What one run did with one resource."""

    fetched: int = 0
    written: int = 0
    requests: int = 0
    mended: int = 0


@dataclass(frozen=True)
class WalkProgress:
    """How far one walk has come; `total` is None when Cliniko did not say."""

    done: int
    total: int | None


@dataclass(frozen=True)
class FetchedPage:
    """An answer of Cliniko's, the sequence number that was drawn before its request, and its records as read."""

    sequence: int
    page: Page
    read: ReadPage


OnPage = Callable[[Resource, WalkProgress], None]


@dataclass
class SyncSlice:
    """One worker's turn at a clinic: `seconds` and `pages` are its limits, None for no limit.

    `on_page(resource, progress)` is called after each page, for a progress bar.
    """

    client: Cliniko
    lease: Lease
    seconds: float | None = None
    pages: int | None = None
    on_page: OnPage = lambda resource, progress: None
    counts: dict[str, ResourceCounts] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    _ahead: Future[FetchedPage] | None = None
    _quiet: dict[str, Cursor] = field(default_factory=dict)
    _moved: set[str] = field(default_factory=set)

    def run(self) -> bool:
        """Walk every list that is due, go on with imports, then compare what is to be compared. True when nothing is
        left, False when the turn was over first.

        A list that Cliniko refuses or fails to give rests by itself and keeps no other from being walked. Raises
        KeyForbidden or ServerError when it is the list of patients; the other ClinikoErrors, and LeaseLost. What was
        committed before stays.
        """
        try:
            done = self._work()
        except ClinikoError:
            self._note_quiet()
            raise
        self._note_quiet()
        _raise_for_patients()
        return done

    @property
    def was_answered(self) -> bool:
        """Whether Cliniko gave any record."""
        return any(counts.fetched for counts in self.counts.values())

    def _work(self) -> bool:
        for listing, cursor in due_listings():
            if not self._walk(listing, cursor):
                return False
        return all(self._compare(resource) for resource in reconcile.due_resources())

    def _walk(self, listing: Listing, cursor: Cursor) -> bool:
        """True when the list needs nothing more now, False when the turn is over."""
        step = self._look if listing.tells_deletions else self._page
        try:
            while not self._over():
                if step(listing, cursor):
                    return True
        except (KeyForbidden, RecordNotFound):
            self._refuse(listing, cursor)
            return True
        except (ServerError, RequestRefused):
            self._rest(listing, cursor)
            return True
        except Unreachable:
            self._rest(listing, cursor)
            raise
        return False

    def _page(self, listing: Listing, cursor: Cursor) -> bool:
        counts = self._count(listing)
        taken = self._take(listing, cursor)
        page = taken.page
        if clock_went_back(cursor, page):
            reconcile.request_once_settled(listing.resource)
        if _has_gap(cursor):
            reconcile.request(listing.resource)
        ticking = cursor.imported_at is not None
        if cursor.walk_clock is None:
            cursor.walked, cursor.total = 0, page.total
        cursor.walked += len(page.records)
        done = advance(cursor, page, overlap=_overlap(), now=timezone.now())
        if done:
            _mark_walked(cursor, listing.resource.every or timedelta(seconds=settings.SYNC_INTERVAL_SECONDS * 0.8))
        elif not self._over():
            self._ask_ahead(listing, cursor)
        written = 0
        if page.records:
            written = self._store(taken, cursor)
        else:
            self._quiet[listing.name] = cursor
        if written and ticking:
            self._moved.add(listing.resource.name)
        counts.fetched += len(page.records)
        counts.written += written
        self.on_page(listing.resource, WalkProgress(cursor.walked, cursor.total))
        return done

    def _store(self, taken: FetchedPage, cursor: Cursor) -> int:
        """Rows and cursor in one transaction; where the database refuses a value, once more and carefully."""
        try:
            return self._commit(taken, cursor, carefully=False)
        except DataError:
            return self._commit(taken, cursor, carefully=True)

    def _commit(self, taken: FetchedPage, cursor: Cursor, *, carefully: bool) -> int:
        with transaction.atomic():
            self.lease.renew()
            written = store_page(taken.read, sequence=taken.sequence, carefully=carefully)
            cursor.save()
        return written

    def _take(self, listing: Listing, cursor: Cursor) -> FetchedPage:
        """The page that was asked for ahead, or else asked for now."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            with suppress(NotFilterable):
                return ahead.result()
        sequence = next_sequence()
        self._count(listing).requests += 1
        page = ask(self.client, listing, cursor)
        return FetchedPage(sequence, page, read_page(listing.resource, page.records))

    def _ask_ahead(self, listing: Listing, cursor: Cursor) -> None:
        """Ask for the next page and read it while this one is written. What is asked for is used: the turn is not over
        before."""
        sequence = next_sequence()

        def read(page: Page) -> FetchedPage:
            return FetchedPage(sequence, page, read_page(listing.resource, page.records))

        with suppress(BudgetSpent):  # which the next step meets, with this page written
            self._ahead = ask_ahead(self.client, listing, cursor, then=read)
            self._count(listing).requests += 1

    def _look(self, listing: Listing, cursor: Cursor) -> bool:
        sequence = next_sequence()
        counts = self._count(listing)
        counts.requests += 1
        answer = deletions.fetch_deleted(self.client, listing, cursor)
        counts.requests += answer.requests - 1
        with transaction.atomic():
            self.lease.renew()
            found = deletions.mark_records_deleted(listing, answer, sequence=sequence)
            done = deletions.advance(listing, cursor, answer, found, overlap=_overlap(), now=timezone.now())
            if done:
                _mark_walked(cursor, LOOK_FOR_DELETED)
            cursor.save()
        counts.written += found
        return done

    def _note_quiet(self) -> None:
        """Save the cursors of lists that showed nothing, which protect no rows, in one transaction for all."""
        if not self._quiet and not self._moved:
            return
        with transaction.atomic():
            self.lease.renew()
            for cursor in self._quiet.values():
                cursor.save()
            deletions.mark_due(self._moved)

    def _compare(self, resource: Resource) -> bool:
        counts = self._count(Listing(resource))
        try:
            while not self._over():
                counts.requests += 1
                step = reconcile.compare_page(self.client, self.lease, resource, over=self._over)
                counts.fetched += step.records
                counts.requests += step.reread
                counts.mended += step.mended
                counts.written += step.mended
                self.on_page(resource, WalkProgress(step.compared, step.total))
                if step.done:
                    return True
        except (KeyForbidden, RecordNotFound, RequestRefused, Unreachable) as failure:
            reconcile.postpone(resource)
            log.warning("comparison_put_off", resource=resource.name, reason=type(failure).__name__)
            return True
        return False

    def _refuse(self, listing: Listing, cursor: Cursor) -> None:
        again = ASK_PATIENTS_AGAIN if listing.name == PATIENTS.name else ASK_REFUSED_AGAIN
        self._save(cursor, refused_at=timezone.now(), due_at=timezone.now() + again)
        log.warning("list_refused", list=listing.name)

    def _rest(self, listing: Listing, cursor: Cursor) -> None:
        self._save(cursor, failures=cursor.failures + 1, due_at=timezone.now() + backoff(cursor.failures))
        log.warning("list_failed", list=listing.name)

    def _save(self, cursor: Cursor, **changes: object) -> None:
        self._quiet.pop(cursor.pk, None)
        with transaction.atomic():
            self.lease.renew()
            Cursor.objects.filter(pk=cursor.pk).update(**changes)

    def _count(self, listing: Listing) -> ResourceCounts:
        return self.counts.setdefault(listing.resource.name, ResourceCounts())

    def _over(self) -> bool:
        if self._ahead is not None:
            return False
        requests = sum(counts.requests for counts in self.counts.values())
        late = self.seconds is not None and time.monotonic() - self.started >= self.seconds
        return late or (self.pages is not None and requests >= self.pages)


def _raise_for_patients() -> None:
    patients = Cursor.objects.filter(resource=PATIENTS.name).first()
    if patients is not None and patients.refused_at:
        raise KeyForbidden("The Cliniko user who made the API key may not read patients.")
    if patients is not None and patients.failures:
        raise ServerError("Cliniko fails to give the list of patients.")


def _overlap() -> timedelta:
    return timedelta(seconds=settings.SYNC_OVERLAP_SECONDS)


def _mark_walked(cursor: Cursor, pause: timedelta) -> None:
    cursor.refused_at, cursor.failures, cursor.due_at = None, 0, timezone.now() + pause


def _has_gap(cursor: Cursor) -> bool:
    return cursor.walk_clock is None and cursor.checked_at is not None and timezone.now() - cursor.checked_at > GAP
