"""A clinic's turn: open the client, take the lease, run the slice, note how it went."""

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

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SliceOutcome:
    """How a turn ended: with `more` to do, now or from `not_before` on; or with nothing to do for as long, or `never`
    until somebody acts."""

    more: bool = False
    not_before: datetime | None = None
    never: bool = False


def run_slice(*, seconds: float, pages: int) -> SliceOutcome:
    """Mirror what is due for at most this long. What Cliniko does is noted on the connection and not raised."""
    held = connection_state.load()
    refused = held.state == Connection.State.KEY_INVALID and held.key_state == Connection.KeyState.INVALID
    if refused or held.state in (Connection.State.NO_KEY, Connection.State.PAUSED):
        return SliceOutcome(never=True)
    if held.resume_at and held.resume_at > timezone.now():
        return SliceOutcome(not_before=held.resume_at)
    try:
        return SliceOutcome(more=not _run(held, seconds=seconds, pages=pages))
    except LeaseHeld:
        return SliceOutcome()
    except LeaseLost:
        log.warning("lease_lost")
        return SliceOutcome()
    except BudgetSpent as spent:
        return SliceOutcome(more=True, not_before=spent.until)
    except ClinikoError as failure:
        resume_at = connection_state.load().resume_at
        log.warning("sync_stopped", reason=type(failure).__name__)
        waits = resume_at is not None or isinstance(failure, connection_state.PATIENTS_ONLY)
        return SliceOutcome(not_before=resume_at, never=not waits)


def run_sync(
    *,
    seconds: float | None = None,
    pages: int | None = None,
    everything: bool = True,
    on_page: OnPage = lambda resource, progress: None,
) -> bool:
    """Mirror until done (True) or out of time (False): `everything`, or what is due.

    Raises LeaseHeld, LeaseLost and, noted on the connection before, ClinikoError. Before Cliniko's limit has reset it
    raises RateLimited without asking, whoever calls.
    """
    return _run(connection_state.load(), seconds=seconds, pages=pages, everything=everything, on_page=on_page)


def _run(
    held: Connection,
    *,
    seconds: float | None,
    pages: int | None,
    everything: bool = False,
    on_page: OnPage = lambda resource, progress: None,
) -> bool:
    if held.state == Connection.State.RATE_LIMITED and held.resume_at and held.resume_at > timezone.now():
        raise RateLimited(held.resume_at)
    turn: SyncSlice | None = None
    try:
        connection_state.require_key(held)
        # The lease comes first: a new key takes it away, so a client opened under it has the key that counts.
        with Lease() as lease, async_commits():
            held = connection_state.load()
            with closing(connection_state.open_client(held)) as client:
                account.refresh_account(client, held)
                if everything:
                    mark_all_due()
                turn = SyncSlice(client, lease, seconds=seconds, pages=pages, on_page=on_page)
                done = _run_recorded(turn)
    except ClinikoError as failure:
        if turn and turn.was_answered and not isinstance(failure, KeyInvalid):
            connection_state.record_answer(held)
        connection_state.record_failure(failure, held)
        raise
    connection_state.record_success(held)
    return done


def _run_recorded(turn: SyncSlice) -> bool:
    """Run the slice and write its history, the reason of an error included, which travels on."""
    run = SyncRun(started_at=timezone.now(), result=SyncRun.Result.STOPPED, reason="The worker was stopped.")
    try:
        done = turn.run()
        run.result, run.reason = (SyncRun.Result.DONE if done else SyncRun.Result.CONTINUES), ""
        return done
    except ClinikoError as failure:
        run.reason = str(failure)
        if isinstance(failure, BudgetSpent):
            run.result = SyncRun.Result.CONTINUES
        raise
    except LeaseLost:
        run.reason = "Somebody paused the sync, changed the key or what is stored, or another worker took over."
        raise
    except Exception as failure:
        run.reason = f"An error of our own: {type(failure).__name__}."  # its text may quote a record
        raise
    finally:
        run.finished_at = timezone.now()
        run.resources = {name: asdict(counts) for name, counts in turn.counts.items()}
        run.save()
        RUNS.add(result=run.result)
