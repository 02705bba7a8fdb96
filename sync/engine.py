"""One slice of a clinic's sync: pages, each with its cursor in one transaction, until done or out of time."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from sync.cliniko import Cliniko, ClinikoError, KeyForbidden, ServerError
from sync.lease import Lease
from sync.models import Connection, Cursor, Run
from sync.resources import PATIENTS, RESOURCES, Resource
from sync.store import next_sequence, write_page
from sync.walks import advance, ask

log = structlog.get_logger(__name__)
RETRY_FORBIDDEN_AFTER = timedelta(hours=6)  # a role may be widened in Cliniko without our knowing


@dataclass
class Counts:
    """What one run did with one resource."""

    fetched: int = 0
    written: int = 0
    requests: int = 0


@dataclass
class Slice:
    """One worker's turn at a clinic: `seconds` and `pages` are its limits, None for no limit.

    `on_page(resource, cursor)` is called after each page, for a progress bar.
    """

    client: Cliniko
    lease: Lease
    seconds: float | None = None
    pages: int | None = None
    on_page: Callable[[Resource, Cursor], None] = lambda resource, cursor: None
    counts: dict[str, Counts] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def run(self) -> bool:
        """Walk every resource once: a pass, over as many turns as it takes. True at its end, False when the turn was
        over first.

        One list that Cliniko fails to give does not keep the others from being walked; its ServerError is raised at the
        end, as is KeyForbidden when patients may not be read. Raises the other errors of sync.cliniko, and LeaseLost.
        What was committed before stays.
        """
        number = _begin_or_continue_pass()
        failures: list[ServerError] = []
        for resource in RESOURCES:
            try:
                if not self._walk(resource, number):
                    return False
            except ServerError as failure:
                failures.append(failure)
        Connection.objects.update(pass_under_way=False)
        if failures:
            raise failures[0]
        if Cursor.objects.filter(resource=PATIENTS.name).exclude(refused_at=None).exists():
            raise KeyForbidden("The Cliniko user who made the API key may not read patients.")
        return True

    def _walk(self, resource: Resource, number: int) -> bool:
        cursor, _ = Cursor.objects.get_or_create(resource=resource.name)
        resting = cursor.refused_at and timezone.now() - cursor.refused_at < RETRY_FORBIDDEN_AFTER
        if cursor.walked_in_pass == number or (resting and resource is not PATIENTS):
            return True
        counts = self.counts.setdefault(resource.name, Counts())
        try:
            while not self._over():
                if self._page(resource, cursor, counts, number):
                    return True
        except KeyForbidden:
            self._refuse(resource, cursor)
            return True
        return False

    def _page(self, resource: Resource, cursor: Cursor, counts: Counts, number: int) -> bool:
        sequence = next_sequence()
        counts.requests += 1
        page = ask(self.client, resource, cursor)
        first = cursor.walk_clock is None
        done = advance(cursor, page, overlap=timedelta(seconds=settings.SYNC_OVERLAP_SECONDS), now=timezone.now())
        cursor.refused_at = None
        if done:
            cursor.walked_in_pass = number
        if first and cursor.total is None:
            cursor.total = page.total
        with transaction.atomic():
            self.lease.renew()
            counts.written += write_page(resource, page.records, sequence=sequence)
            cursor.save()
        counts.fetched += len(page.records)
        self.on_page(resource, cursor)
        return done

    def _refuse(self, resource: Resource, cursor: Cursor) -> None:
        with transaction.atomic():
            self.lease.renew()
            Cursor.objects.filter(pk=cursor.pk).update(refused_at=timezone.now())
        log.warning("resource_forbidden", resource=resource.name)

    def _over(self) -> bool:
        requests = sum(counts.requests for counts in self.counts.values())
        late = self.seconds is not None and time.monotonic() - self.started >= self.seconds
        return late or (self.pages is not None and requests >= self.pages)


def _begin_or_continue_pass() -> int:
    """The number of the pass under way. Numbers and not times: clocks of workers differ."""
    Connection.objects.filter(pass_under_way=False).update(pass_number=F("pass_number") + 1, pass_under_way=True)
    return Connection.objects.values_list("pass_number", flat=True).get()


def run_slice(turn: Slice) -> Run:
    """Run the slice and write its history, the reason of an error included, which travels on."""
    run = Run.objects.create()
    result, reason = Run.Result.STOPPED, "The worker was stopped."
    try:
        done = turn.run()
        result, reason = (Run.Result.DONE, "") if done else (Run.Result.CONTINUES, "")
    except ClinikoError as failure:
        reason = str(failure)
        raise
    except Exception as failure:
        reason = f"An error of our own: {type(failure).__name__}."  # its text may quote a record
        raise
    finally:
        run.result, run.reason, run.finished_at = result, reason, timezone.now()
        run.resources = {name: asdict(counts) for name, counts in turn.counts.items()}
        run.save()
    return run


def restart_import() -> None:
    """Make the next run read everything again by id; rows and their history stay."""
    Cursor.objects.update(
        imported_at=None,
        after_id="",
        cursor=None,
        position=None,
        walk_clock=None,
        walked_in_pass=0,
        total=None,
        refused_at=None,
        asks_hidden=True,
    )
    Connection.objects.update(pass_under_way=False)
