"""The clinic's connection to Cliniko: its stored key, the client, and the state that staff see."""

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
# These may apply to the list of patients only: that list backs off, and the clinic's other lists are still synced.
LIST_ERRORS = (KeyForbidden, ServerError, RequestRefused)
MAX_BACKOFF = timedelta(minutes=15)


class NoKey(ClinikoError):
    """No API key is stored for this clinic yet."""


def load() -> Connection:
    """Return the clinic's connection; unsaved before the first key."""
    return Connection.objects.filter(id=1).first() or Connection(id=1)


def open_client(
    connection: Connection | None = None, *, timeout: float | None = None, purpose: Purpose = "background"
) -> Cliniko:
    """Open a client with the clinic's stored key. Raises NoKey, and KeyInvalid if the key can't be decrypted."""
    return client_of(stored_key(connection or load()), timeout, purpose)


def stored_key(connection: Connection) -> ApiKey:
    """Decrypt the stored key. Raises NoKey, and KeyInvalid if it can't be decrypted here."""
    require_key(connection)
    try:
        return unseal(connection.sealed_key, clinic=current_clinic().schema_name, keys=settings.SEALING_KEYS)
    except KeyCannotBeOpened as unopened:
        raise KeyInvalid(str(unopened)) from None


def requests_left() -> int | None:
    """Return how many requests the stored key may still make this minute, or None without a usable key."""
    try:
        return share_for(stored_key(load()), "background").remaining()
    except ClinikoError:
        return None


def require_key(connection: Connection) -> None:
    """Raise NoKey if no key is stored."""
    if not connection.sealed_key:
        raise NoKey("No Cliniko API key is stored for this clinic yet.")


def client_of(key: ApiKey, timeout: float | None = None, purpose: Purpose = "launches") -> Cliniko:
    """Open a client with this key. `timeout` is in seconds for each request."""
    options = {} if timeout is None else {"timeout": timeout}
    return Cliniko(
        key,
        api_url=settings.CLINIKO_API_URL,
        user_agent=settings.CLINIKO_USER_AGENT,
        budget=share_for(key, purpose),
        **options,
    )


def lock() -> None:
    """Lock out the writes of workers and launches until the caller's transaction ends, after those under way."""
    Connection.objects.select_for_update().filter(id=1).first()


def key_is_unchanged(loaded: Connection) -> bool:
    """Lock the connection until the caller's transaction ends; return whether its key is the one in `loaded`."""
    return Connection.objects.select_for_update().filter(id=1, sealed_key=loaded.sealed_key).exists()


def record_success(loaded: Connection) -> None:
    """Record that Cliniko answered this key: clear any error state and backoff."""
    _set_key_state(KeyState.OK, loaded)
    _clear_failures(loaded)


def record_key_accepted(loaded: Connection) -> None:
    """Record that Cliniko answered a key marked invalid, even if the rest fails. A later rejection takes precedence."""
    if loaded.key_state != KeyState.INVALID:
        return
    same = Connection.objects.filter(id=1, sealed_key=loaded.sealed_key, key_state=KeyState.INVALID, state=loaded.state)
    if same.update(key_state=KeyState.OK, owners_notified_at=None):
        registry.set_key_state(KeyState.OK)


def _clear_failures(loaded: Connection) -> None:
    if loaded.state == State.OK and not loaded.failures:
        return
    rows = Connection.objects.filter(id=1, sealed_key=loaded.sealed_key).exclude(state__in=[State.OK, State.PAUSED])
    rows.update(state=State.OK, state_since=timezone.now(), resume_at=None, failures=0)


def _set_key_state(key_state: Connection.KeyState, loaded: Connection) -> None:
    """Save the key's state, even while paused, unless the key has been replaced since."""
    if loaded.key_state == key_state == KeyState.OK:
        return
    rows = Connection.objects.filter(id=1, sealed_key=loaded.sealed_key).exclude(sealed_key="")
    if rows.exclude(key_state=key_state).update(key_state=key_state, owners_notified_at=None):
        registry.set_key_state(key_state)


def record_failure(failure: ClinikoError, loaded: Connection) -> None:
    """Save why a request with this key failed and when to try again. Does nothing if the key has been replaced since.

    A clinic that has been paused since stays paused; only its key state is saved. Our own exhausted budget is no
    failure.
    """
    if isinstance(failure, BudgetSpent):
        _clear_failures(loaded)  # Cliniko answered until the budget was spent
        return
    if isinstance(failure, RateLimited):
        share_for(stored_key(loaded), "background").block(failure.until)
    if isinstance(failure, KeyInvalid | KeyForbidden):
        _set_key_state(KeyState.INVALID if isinstance(failure, KeyInvalid) else KeyState.FORBIDDEN, loaded)
    state, resume_at = _state_after(failure, loaded)
    rows = Connection.objects.filter(id=1, sealed_key=loaded.sealed_key).exclude(state=State.PAUSED)
    rows.exclude(state=state).update(state=state, state_since=timezone.now())
    if not isinstance(failure, LIST_ERRORS):
        rows.update(failures=F("failures") + 1)
    rows.update(resume_at=resume_at)


def _state_after(failure: ClinikoError, loaded: Connection) -> tuple[Connection.State, datetime | None]:
    if isinstance(failure, NoKey):
        return State.NO_KEY, None
    if isinstance(failure, KeyInvalid):
        return State.KEY_INVALID, None
    if isinstance(failure, KeyForbidden):
        return State.KEY_FORBIDDEN, None
    if isinstance(failure, ServerError | RequestRefused):
        return State.UNREACHABLE, None
    if isinstance(failure, RateLimited):
        return State.RATE_LIMITED, failure.until
    return State.UNREACHABLE, timezone.now() + backoff(loaded.failures)


def backoff(failures: int) -> timedelta:
    """Return how long to wait after this many failures in a row: 15 s, 30 s, … up to 15 minutes, with jitter."""
    pause = min(timedelta(seconds=15 * 2 ** min(failures, 6)), MAX_BACKOFF)
    return pause * uniform(0.8, 1.2)  # noqa: S311 - jitter


def notify_owners() -> None:
    """Send `key_refused` once per refused key. If a receiver fails, the next call sends it again."""
    pending = Connection.objects.filter(id=1, key_state=KeyState.INVALID, owners_notified_at=None)
    if not pending.update(owners_notified_at=timezone.now()):
        return
    failures = [answer for _, answer in key_refused.send_robust(sender=Connection) if isinstance(answer, Exception)]
    if failures:
        log.error("owners_not_notified", exc_info=failures[0])
        Connection.objects.filter(id=1).update(owners_notified_at=None)
