"""The result of a request to Cliniko that a page waits for: refresh, key entry and the staff import share it.

The pages' texts for each outcome are in launch/messages.py.
"""

from enum import Enum, auto

from django.utils import timezone

from sync.cliniko.errors import BudgetSpent, ClinikoError, KeyForbidden, KeyInvalid, RateLimited, Unreachable
from sync.connection import state as connection_state
from sync.connection.state import NoKey
from sync.models import Connection


class Outcome(Enum):
    """How a request that a page waits for ended."""

    FRESH = auto()  # Cliniko answered, and the answer is stored
    UNKNOWN = auto()  # Cliniko has no such patient; a mirrored one is now marked deleted
    UNREADABLE = auto()  # Cliniko's answer can't be used; the mirror is unchanged
    BUSY = auto()  # another request for this patient is under way or has just ended
    RATE_LIMITED = auto()
    UNREACHABLE = auto()
    KEY_INVALID = auto()
    KEY_FORBIDDEN = auto()
    NO_KEY = auto()


_OUTCOMES: dict[type[ClinikoError], Outcome] = {
    RateLimited: Outcome.RATE_LIMITED,
    Unreachable: Outcome.UNREACHABLE,
    KeyInvalid: Outcome.KEY_INVALID,
    KeyForbidden: Outcome.KEY_FORBIDDEN,
    NoKey: Outcome.NO_KEY,
}


def outcome_of(failure: ClinikoError) -> Outcome:
    """Return the outcome that this error means; UNREADABLE for an answer that we didn't expect."""
    return next((outcome for error, outcome in _OUTCOMES.items() if isinstance(failure, error)), Outcome.UNREADABLE)


def record_outcome(failure: ClinikoError, connection: Connection) -> Outcome:
    """Return the outcome, and record errors that hold for every request: a refused key and Cliniko's rate limit.

    A slow or odd answer holds for this request alone, and our own share of requests is no error.
    """
    if isinstance(failure, KeyInvalid | RateLimited) and not isinstance(failure, BudgetSpent):
        connection_state.record_failure(failure, connection)
    return outcome_of(failure)


def blocked() -> Outcome | None:
    """Return the outcome that is known without a request (no key, a refused key, an active rate limit), or None."""
    connection = connection_state.load()
    if connection.state == Connection.State.RATE_LIMITED:
        limited = connection.resume_at is not None and connection.resume_at > timezone.now()
        return Outcome.RATE_LIMITED if limited else None
    if not connection.sealed_key:
        return Outcome.NO_KEY
    stopped = connection.state in (Connection.State.KEY_INVALID, Connection.State.PAUSED)
    return Outcome.KEY_INVALID if stopped and connection.key_state == Connection.KeyState.INVALID else None
