"""A clinic's turn: open the client, take the lease, run the slice, note how it went."""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.utils import timezone

from sync import account, connection
from sync.due import everything_is_due
from sync.engine import OnPage, Slice
from sync.errors import BudgetSpent, ClinikoError, KeyInvalid, RateLimited
from sync.lease import Lease, LeaseHeld, LeaseLost
from sync.models import Connection
from sync.runs import run_slice
from sync.store import commits_unawaited

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Turn:
    """How a turn ended: with `more` to do, now or from `not_before` on; or with nothing to do for as long, or `never`
    until somebody acts."""

    more: bool = False
    not_before: datetime | None = None
    never: bool = False


def take_turn(*, seconds: float, pages: int) -> Turn:
    """Mirror what is due for at most this long. What Cliniko does is noted on the connection and not raised."""
    held = connection.load()
    refused = held.state == Connection.State.KEY_INVALID and held.key_state == Connection.KeyState.INVALID
    if refused or held.state in (Connection.State.NO_KEY, Connection.State.PAUSED):
        return Turn(never=True)
    if held.resume_at and held.resume_at > timezone.now():
        return Turn(not_before=held.resume_at)
    try:
        return Turn(more=not _run(held, seconds=seconds, pages=pages))
    except LeaseHeld:
        return Turn()
    except LeaseLost:
        log.warning("lease_lost")
        return Turn()
    except BudgetSpent as spent:
        return Turn(more=True, not_before=spent.until)
    except ClinikoError as failure:
        resume_at = connection.load().resume_at
        log.warning("sync_stopped", reason=type(failure).__name__)
        waits = resume_at is not None or isinstance(failure, connection.PATIENTS_ALONE)
        return Turn(not_before=resume_at, never=not waits)


def run(
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
    return _run(connection.load(), seconds=seconds, pages=pages, everything=everything, on_page=on_page)


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
    turn: Slice | None = None
    try:
        connection.require_key(held)
        # The lease comes first: a new key takes it away, so a client opened under it has the key that counts.
        with Lease() as lease, commits_unawaited():
            held = connection.load()
            with closing(connection.open_client(held)) as client:
                account.look_again(client, held)
                if everything:
                    everything_is_due()
                turn = Slice(client, lease, seconds=seconds, pages=pages, on_page=on_page)
                done = run_slice(turn)
    except ClinikoError as failure:
        if turn and turn.was_answered and not isinstance(failure, KeyInvalid):
            connection.note_answer(held)
        connection.note_failure(failure, held)
        raise
    connection.note_success(held)
    return done
