"""The result of a request to Cliniko that a page waits for."""

from enum import Enum, auto

from django.utils import timezone

from sync.cliniko.errors import ClinikoError, KeyForbidden, KeyInvalid, RateLimited
from sync.connection import state as connection_state
from sync.models import Connection


class Outcome(Enum):
    """How a request that a page waits for ended."""

    FRESH = auto()  # the answer is current
    UNKNOWN = auto()  # Cliniko has no such patient; a mirrored one is now a tombstone
    UNREADABLE = auto()  # Cliniko's answer lacks a required field; the mirror is unchanged
    BUSY = auto()  # another request for this patient is under way or has just ended
    RATE_LIMITED = auto()
    UNREACHABLE = auto()
    KEY_INVALID = auto()
    KEY_FORBIDDEN = auto()
    NO_KEY = auto()


def outcome_of(failure: ClinikoError) -> Outcome:
    """Return the outcome that this error means."""
    if isinstance(failure, RateLimited):
        return Outcome.RATE_LIMITED
    if isinstance(failure, KeyForbidden):
        return Outcome.KEY_FORBIDDEN
    return Outcome.KEY_INVALID if isinstance(failure, KeyInvalid) else Outcome.UNREACHABLE


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
