"""Syncing one clinic: take the lease, open the client, run a slice, and record the run."""

from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime

import structlog
from django.utils import timezone

from sync.cliniko.errors import BudgetSpent, ClinikoError, KeyInvalid, RateLimited
from sync.connection import account
from sync.connection import state as connection_state
from sync.metrics import RUNS
from sync.models import Connection, SyncRun
from sync.walk.lease import Lease, LeaseHeld, LeaseLost
from sync.walk.schedule import mark_all_due
from sync.walk.slice import OnPage, SyncSlice
from sync.walk.store import async_commits

State = Connection.State
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SliceOutcome:
    """How a slice ended.

    `has_more`: there is more to do. `resume_at`: not before this time. `blocked`: not until someone intervenes.
    """

    has_more: bool = False
    resume_at: datetime | None = None
    blocked: bool = False


def run_slice(*, seconds: float, pages: int) -> SliceOutcome:
    """Sync what is due, for at most this long. Saves Cliniko's errors on the connection instead of raising them."""
    connection = connection_state.load()
    refused = connection.state == State.KEY_INVALID and connection.key_state == Connection.KeyState.INVALID
    if refused or connection.state in (State.NO_KEY, State.PAUSED):
        return SliceOutcome(blocked=True)
    if connection.resume_at and connection.resume_at > timezone.now():
        return SliceOutcome(resume_at=connection.resume_at)
    try:
        return SliceOutcome(has_more=not _run(connection, seconds=seconds, pages=pages))
    except LeaseHeld:
        return SliceOutcome()
    except LeaseLost:
        log.warning("lease_lost")
        return SliceOutcome()
    except ClinikoError as failure:
        return _outcome_of(failure)


def _outcome_of(failure: ClinikoError) -> SliceOutcome:
    if isinstance(failure, BudgetSpent):
        return SliceOutcome(has_more=True, resume_at=failure.until)
    log.warning("sync_stopped", reason=type(failure).__name__)
    resume_at = connection_state.load().resume_at
    retries = resume_at is not None or isinstance(failure, connection_state.LIST_ERRORS)
    return SliceOutcome(resume_at=resume_at, blocked=not retries)


def run_sync(
    *,
    seconds: float | None = None,
    pages: int | None = None,
    everything: bool = True,
    on_page: OnPage = lambda resource, progress: None,
) -> bool:
    """Sync `everything`, or what is due. Returns True when done, False when out of time.

    Raises LeaseHeld, LeaseLost and, after saving it on the connection, ClinikoError. While a rate limit lasts it raises
    RateLimited without a request.
    """
    return _run(connection_state.load(), seconds=seconds, pages=pages, everything=everything, on_page=on_page)


def _run(
    connection: Connection,
    *,
    seconds: float | None,
    pages: int | None,
    everything: bool = False,
    on_page: OnPage = lambda resource, progress: None,
) -> bool:
    if connection.state == State.RATE_LIMITED and connection.resume_at and connection.resume_at > timezone.now():
        raise RateLimited(connection.resume_at)
    sync_slice: SyncSlice | None = None
    try:
        connection_state.require_key(connection)
        # The lease comes first: storing a new key revokes it, so under the lease the stored key is the valid one.
        with Lease() as lease, async_commits():
            connection = connection_state.load()
            with closing(connection_state.open_client(connection)) as client:
                account.refresh_account(client, connection)
                if everything:
                    mark_all_due()
                sync_slice = SyncSlice(client, lease, seconds=seconds, pages=pages, on_page=on_page)
                done = _run_recorded(sync_slice)
    except ClinikoError as failure:
        if sync_slice and sync_slice.was_answered and not isinstance(failure, KeyInvalid):
            connection_state.record_key_accepted(connection)
        connection_state.record_failure(failure, connection)
        raise
    connection_state.record_success(connection)
    return done


def _run_recorded(sync_slice: SyncSlice) -> bool:
    """Run the slice and save a SyncRun, with the reason if it fails. The error is re-raised."""
    run = SyncRun(started_at=timezone.now(), result=SyncRun.Result.STOPPED, reason="The worker was stopped.")
    try:
        done = sync_slice.run()
        run.result, run.reason = (SyncRun.Result.DONE if done else SyncRun.Result.CONTINUES), ""
        return done
    except ClinikoError as failure:
        run.reason = str(failure)
        if isinstance(failure, BudgetSpent):
            run.result = SyncRun.Result.CONTINUES
        raise
    except LeaseLost:
        run.reason = "The sync was paused, the key or the stored fields were changed, or another worker took over."
        raise
    except Exception as failure:
        run.reason = f"An internal error: {type(failure).__name__}."  # its message may quote a record
        raise
    finally:
        run.finished_at = timezone.now()
        run.resources = {name: asdict(counts) for name, counts in sync_slice.counts.items()}
        run.save()
        RUNS.add(result=run.result)
