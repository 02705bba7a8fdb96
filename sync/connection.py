"""The clinic's connection to Cliniko: taking a key, opening the client, and the state that people are told."""

import re
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import uniform
from typing import Any
from zoneinfo import available_timezones

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from audit.log import Action, Actor, record
from sync.budget import share_of
from sync.cliniko import ApiKey, Cliniko
from sync.errors import (
    BudgetSpent,
    ClinikoError,
    KeyForbidden,
    KeyInvalid,
    RateLimited,
    RecordNotFound,
    RequestRefused,
    ServerError,
)
from sync.models import Connection, Cursor, LeftOut, PatientChange, PatientRefresh, Reconcile, RefusedPayload
from sync.payloads import text
from sync.resources import PATIENTS, RESOURCES, Resource
from sync.sealing import KeyCannotBeOpened, seal, unseal
from sync.signals import account_forgotten, key_refused
from tenants import own_row
from tenants.budgets import Purpose
from tenants.context import current_clinic

State = Connection.State
log = structlog.get_logger(__name__)
PATIENTS_ALONE = (KeyForbidden, ServerError, RequestRefused)  # the list of patients rests, and the others go on
STILL_OPENING = timedelta(seconds=10)  # screens under way when the account changes, and clocks that differ
LONGEST_BACKOFF = timedelta(minutes=15)


class NoKey(ClinikoError):
    """No API key is stored for this clinic yet."""


class AnotherAccount(ClinikoError):
    """The new key belongs to another Cliniko account than the mirrored one; nothing was changed.

    `account` and `held` are their names; `mark` tells the new one from all others.
    """

    def __init__(self, account: str, held: str, mark: str):
        words = f"This key belongs to another Cliniko account ({account}) than the mirrored one ({held})"
        super().__init__(f"{words}: nothing was changed.")
        self.account, self.held, self.mark = account, held, mark


@dataclass(frozen=True)
class Connected:
    """Whom a key speaks for, and what it may read: by resource label, True or False."""

    account: str
    shard: str
    user: str
    role: str
    may_read: dict[str, bool]


def load() -> Connection:
    return Connection.objects.filter(id=1).first() or Connection(id=1)


def open_client(
    connection: Connection | None = None, *, timeout: float | None = None, purpose: Purpose = "background"
) -> Cliniko:
    """The client with the clinic's stored key. Raises NoKey, and KeyInvalid when the key cannot be opened here."""
    return _client(stored_key(connection or load()), timeout, purpose)


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
        return share_of(stored_key(load()), "background").left()
    except ClinikoError:
        return None


def require_key(connection: Connection) -> None:
    if not connection.sealed_key:
        raise NoKey("No Cliniko API key is stored for this clinic yet.")


def _client(key: ApiKey, timeout: float | None = None, purpose: Purpose = "launches") -> Cliniko:
    limits = {} if timeout is None else {"timeout": timeout}
    return Cliniko(
        key,
        api_url=settings.CLINIKO_API_URL,
        user_agent=settings.CLINIKO_USER_AGENT,
        budget=share_of(key, purpose),
        **limits,
    )


def connect(
    key: ApiKey, *, by: Actor, confirm_other_account: bool | str = False, timeout: float | None = None
) -> Connected:
    """Ask Cliniko who this key is and what it may read; store it only when it works, and make the clinic due.

    The stored key stays in use until then. `confirm_other_account` is True for any other account, or the mark of the
    one that was agreed to; `timeout` is for each of the ten requests, in seconds. Raises KeyInvalid, KeyForbidden
    (patients are not to be read), AnotherAccount, RateLimited, Unreachable and NotRecorded.
    """
    try:
        with closing(_client(key, timeout)) as client:
            user, settings_page = client.user(), client.settings()
            looks = {resource: _look(client, resource.name) for resource in RESOURCES}
    except RateLimited as limit:
        share_of(key, "launches").block(limit.until)
        raise
    account = _account(settings_page)
    if not looks[PATIENTS].may_read:
        raise KeyForbidden(f"The Cliniko user who made this key, {_name(user)}, may not read patients.")
    subdomain = _subdomain(account)
    with transaction.atomic():
        Connection.objects.get_or_create(id=1)
        held = Connection.objects.select_for_update().get(id=1)
        # Two accounts that name no subdomain are not known to be one; the same subdomain on another shard is another.
        same = bool(subdomain) and (key.shard, subdomain) == (held.shard, held.account_subdomain)
        moved = bool(held.connected_at) and not same
        mark = f"{key.shard}/{subdomain or text(account, 'name')}"
        if moved and confirm_other_account not in (True, mark):
            raise AnotherAccount(text(account, "name"), held.account_name, mark)
        _store(held, key, user, account, word=_patient_word(settings_page))
        Cursor.objects.update(refused_at=None, asks_hidden=True, failures=0, due_at=timezone.now())
        if moved:
            _forget_account()
        _note_lists(looks)
        own_row.leave_setup(text(account, "name"))
        own_row.be_due()
        record(Action.KEY_CHANGED, by=by, key=repr(key), account=text(account, "name"))
    may_read = {resource.label: look.may_read for resource, look in looks.items()}
    return Connected(text(account, "name"), key.shard, _name(user), text(user, "role"), may_read)


def _forget_account() -> None:
    """Nothing of one account may be taken for another's: ids count up alike in all of them."""
    for resource in RESOURCES:
        resource.model._default_manager.all().delete()
    for model in (Cursor, Reconcile, RefusedPayload, PatientRefresh, PatientChange):
        model._default_manager.all().delete()
    LeftOut.objects.filter(coming_back=True).delete()
    Connection.objects.update(account_since=timezone.now() + STILL_OPENING)
    account_forgotten.send(sender=Connection)


@dataclass(frozen=True)
class _Look:
    """What a key was told of one list: whether it may read it, and how many there are, where Cliniko says."""

    may_read: bool
    total: int | None = None


def _look(client: Cliniko, resource: str) -> _Look:
    try:
        return _Look(True, client.list(resource, filters=(), sort="id:asc", per_page=1).total)
    except (KeyForbidden, RecordNotFound):
        return _Look(False)
    except (ServerError, RequestRefused):
        # A list that fails today keeps no key from being stored: the walk finds out.
        if resource == PATIENTS.name:
            raise
    return _Look(True)


def _note_lists(looks: dict[Resource, _Look]) -> None:
    """What the key was told, so that pages need not wait for the first walk to say it."""
    for resource, look in looks.items():
        cursor, _ = Cursor.objects.get_or_create(resource=resource.name)
        cursor.refused_at = None if look.may_read else timezone.now()
        if cursor.imported_at is None and cursor.walk_clock is None:
            cursor.total = look.total
        cursor.save(update_fields=["refused_at", "total"])


def _name(user: dict[str, Any]) -> str:
    return f"{text(user, 'first_name')} {text(user, 'last_name')}".strip()


def _account(settings_page: dict[str, Any]) -> dict[str, Any]:
    """Name, subdomain and time zone stand in an object of their own, or at the top as older answers have them."""
    account = settings_page.get("account")
    return account if isinstance(account, dict) else settings_page


def _subdomain(account: dict[str, Any]) -> str:
    """The account's own; it goes into links, so anything but a label counts as none."""
    subdomain = text(account, "subdomain").lower()
    return subdomain if re.fullmatch(r"[a-z0-9][a-z0-9-]*", subdomain) else ""


def _patient_word(settings_page: dict[str, Any]) -> str:
    terminology = settings_page.get("terminology")
    word = text(terminology, "patient").lower() if isinstance(terminology, dict) else ""
    return word or "patient"


def _store(held: Connection, key: ApiKey, user: dict[str, Any], account: dict[str, Any], *, word: str) -> None:
    zone = text(account, "time_zone")
    held.sealed_key = seal(key, clinic=current_clinic().schema_name, keys=settings.SEALING_KEYS)
    held.key_last4, held.shard = key.last4, key.shard
    held.account_name, held.account_subdomain = text(account, "name"), _subdomain(account)
    held.time_zone = zone if zone in available_timezones() else "UTC"
    held.patient_word = word
    held.key_user_name, held.key_user_role = _name(user), text(user, "role")
    held.connected_at = timezone.now()
    held.resume_at, held.failures = None, 0
    if held.state != State.PAUSED:  # which lasts until somebody ends it
        held.state, held.state_since = State.OK, timezone.now()
    held.lease_token = held.lease_until = None  # a worker under way with the former key writes nothing more
    held.owners_told_at = None
    held.save()


def hold() -> None:
    """Keep workers and launches from writing until the caller's transaction ends; who is writing now ends first."""
    Connection.objects.select_for_update().filter(id=1).first()


def is_still(held: Connection) -> bool:
    """Whether the key is the one that `held` was loaded with; holds until the caller's transaction ends."""
    return Connection.objects.select_for_update().filter(id=1, sealed_key=held.sealed_key).exists()


def note_success(held: Connection) -> None:
    """Cliniko answered to this key: whatever hindered is over."""
    if held.state == State.OK and not held.failures:
        return
    rows = Connection.objects.filter(id=1, sealed_key=held.sealed_key).exclude(state__in=[State.OK, State.PAUSED])
    rows.update(state=State.OK, state_since=timezone.now(), resume_at=None, failures=0, owners_told_at=None)


def note_failure(failure: ClinikoError, held: Connection) -> None:
    """Remember why Cliniko did not answer to this key, and until when it is left alone; of a former key nothing, nor
    of a clinic that somebody paused meanwhile.

    That our own share of requests is used up is no failure.
    """
    if isinstance(failure, BudgetSpent):
        note_success(held)  # Cliniko answered until our share was used up
        return
    if isinstance(failure, RateLimited):
        share_of(stored_key(held), "background").block(failure.until)
    state, resume_at = _verdict(failure, held)
    rows = Connection.objects.filter(id=1, sealed_key=held.sealed_key).exclude(state=State.PAUSED)
    rows.exclude(state=state).update(state=state, state_since=timezone.now())
    if not isinstance(failure, PATIENTS_ALONE):
        rows.update(failures=F("failures") + 1)
    rows.update(resume_at=resume_at)


def _verdict(failure: ClinikoError, held: Connection) -> tuple[Connection.State, datetime | None]:
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


def tell_owners() -> None:
    """Once for a refused key, let whoever knows the owners tell them. Untold, they are told on the next call."""
    untold = Connection.objects.filter(id=1, state=State.KEY_INVALID, owners_told_at=None)
    if not untold.update(owners_told_at=timezone.now()):
        return
    failures = [answer for _, answer in key_refused.send_robust(sender=Connection) if isinstance(answer, Exception)]
    if failures:
        log.error("owners_not_told", exc_info=failures[0])
        Connection.objects.filter(id=1).update(owners_told_at=None)
