"""The clinic's connection to Cliniko: its stored key, the client, and the state that people are told."""

from datetime import datetime, timedelta
from random import uniform

import structlog
from django.conf import settings
from django.db.models import F
from django.utils import timezone

from sync.cliniko.client import ApiKey, Cliniko
from sync.cliniko.errors import (
    BudgetSpent,
    ClinikoError,
    KeyForbidden,
    KeyInvalid,
    RateLimited,
    RequestRefused,
    ServerError,
)
from sync.connection.rate_limit import share_for
from sync.connection.sealing import KeyCannotBeOpened, unseal
from sync.models import Connection
from sync.signals import key_refused
from tenants import registry
from tenants.context import current_clinic
from tenants.rate_limits import Purpose

State, KeyState = Connection.State, Connection.KeyState
log = structlog.get_logger(__name__)
PATIENTS_ONLY = (KeyForbidden, ServerError, RequestRefused)  # the list of patients rests, and the others go on
LONGEST_BACKOFF = timedelta(minutes=15)


class NoKey(ClinikoError):
    """No API key is stored for this clinic yet."""


def load() -> Connection:
    return Connection.objects.filter(id=1).first() or Connection(id=1)


def open_client(
    connection: Connection | None = None, *, timeout: float | None = None, purpose: Purpose = "background"
) -> Cliniko:
    """The client with the clinic's stored key. Raises NoKey, and KeyInvalid when the key cannot be opened here."""
    return client_of(stored_key(connection or load()), timeout, purpose)


def stored_key(connection: Connection) -> ApiKey:
    """Raises NoKey, and KeyInvalid when the stored key cannot be opened here."""
    require_key(connection)
    try:
        return unseal(connection.sealed_key, clinic=current_clinic().schema_name, keys=settings.SEALING_KEYS)
    except KeyCannotBeOpened as unopened:
        raise KeyInvalid(str(unopened)) from None


def requests_left() -> int | None:
    """Requests that the stored key may still make this minute; None without a key that opens."""
    try:
        return share_for(stored_key(load()), "background").left()
    except ClinikoError:
        return None


def require_key(connection: Connection) -> None:
    if not connection.sealed_key:
        raise NoKey("No Cliniko API key is stored for this clinic yet.")


def client_of(key: ApiKey, timeout: float | None = None, purpose: Purpose = "launches") -> Cliniko:
    limits = {} if timeout is None else {"timeout": timeout}
    return Cliniko(
        key,
        api_url=settings.CLINIKO_API_URL,
        user_agent=settings.CLINIKO_USER_AGENT,
        budget=share_for(key, purpose),
        **limits,
    )


def lock() -> None:
    """Keep workers and launches from writing until the caller's transaction ends; who is writing now ends first."""
    Connection.objects.select_for_update().filter(id=1).first()


def key_is_unchanged(held: Connection) -> bool:
    """Whether the key is the one that `held` was loaded with; holds until the caller's transaction ends."""
    return Connection.objects.select_for_update().filter(id=1, sealed_key=held.sealed_key).exists()


def record_success(held: Connection) -> None:
    """Cliniko answered to this key: whatever hindered is over."""
    _set_key_state(KeyState.OK, held)
    _clear_failures(held)


def record_answer(held: Connection) -> None:
    """Cliniko gave something to a key that it is thought to refuse: it takes the key, whatever hinders afterwards. A
    refusal that came since then counts."""
    if held.key_state != KeyState.INVALID:
        return
    same = Connection.objects.filter(id=1, sealed_key=held.sealed_key, key_state=KeyState.INVALID, state=held.state)
    if same.update(key_state=KeyState.OK, owners_notified_at=None):
        registry.set_key_state(KeyState.OK)


def _clear_failures(held: Connection) -> None:
    if held.state == State.OK and not held.failures:
        return
    rows = Connection.objects.filter(id=1, sealed_key=held.sealed_key).exclude(state__in=[State.OK, State.PAUSED])
    rows.update(state=State.OK, state_since=timezone.now(), resume_at=None, failures=0)


def _set_key_state(verdict: Connection.KeyState, held: Connection) -> None:
    """What Cliniko says of the key that was held, paused or not; of a former key nothing."""
    if held.key_state == verdict == KeyState.OK:
        return
    rows = Connection.objects.filter(id=1, sealed_key=held.sealed_key).exclude(sealed_key="").exclude(key_state=verdict)
    if rows.update(key_state=verdict, owners_notified_at=None):
        registry.set_key_state(verdict)


def record_failure(failure: ClinikoError, held: Connection) -> None:
    """Remember why Cliniko did not answer to this key, and until when it is left alone; of a former key nothing, and
    of a clinic that somebody paused meanwhile what Cliniko says of the key alone.

    That our own share of requests is used up is no failure.
    """
    if isinstance(failure, BudgetSpent):
        _clear_failures(held)  # Cliniko answered until our share was used up
        return
    if isinstance(failure, RateLimited):
        share_for(stored_key(held), "background").block(failure.until)
    if isinstance(failure, KeyInvalid | KeyForbidden):
        _set_key_state(KeyState.INVALID if isinstance(failure, KeyInvalid) else KeyState.FORBIDDEN, held)
    state, resume_at = _state_after(failure, held)
    rows = Connection.objects.filter(id=1, sealed_key=held.sealed_key).exclude(state=State.PAUSED)
    rows.exclude(state=state).update(state=state, state_since=timezone.now())
    if not isinstance(failure, PATIENTS_ONLY):
        rows.update(failures=F("failures") + 1)
    rows.update(resume_at=resume_at)


def _state_after(failure: ClinikoError, held: Connection) -> tuple[Connection.State, datetime | None]:
    if isinstance(failure, NoKey):
        return State.NO_KEY, None
    if isinstance(failure, KeyInvalid):
        return State.KEY_INVALID, None
    # These two may hold for the list of patients alone: that list rests, not the clinic.
    if isinstance(failure, KeyForbidden):
        return State.KEY_FORBIDDEN, None
    if isinstance(failure, ServerError | RequestRefused):
        return State.UNREACHABLE, None
    if isinstance(failure, RateLimited):
        return State.RATE_LIMITED, failure.until
    return State.UNREACHABLE, timezone.now() + backoff(held.failures)


def backoff(failures: int) -> timedelta:
    """How long to leave alone what failed so many times in a row: 15 s, 30 s, … up to 15 minutes, jittered."""
    pause = min(timedelta(seconds=15 * 2 ** min(failures, 6)), LONGEST_BACKOFF)
    return pause * uniform(0.8, 1.2)  # noqa: S311 - jitter


def notify_owners() -> None:
    """Once for a refused key, let whoever knows the owners tell them. Untold, they are told on the next call."""
    untold = Connection.objects.filter(id=1, key_state=KeyState.INVALID, owners_notified_at=None)
    if not untold.update(owners_notified_at=timezone.now()):
        return
    failures = [answer for _, answer in key_refused.send_robust(sender=Connection) if isinstance(answer, Exception)]
    if failures:
        log.error("owners_not_told", exc_info=failures[0])
        Connection.objects.filter(id=1).update(owners_notified_at=None)
