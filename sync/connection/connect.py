"""Taking a key: Cliniko is asked first whose it is and what it may read."""

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.text import capfirst

from audit.log import Action, Actor, record
from sync.cliniko import time_zones
from sync.cliniko.client import ApiKey, Cliniko
from sync.cliniko.errors import ClinikoError, KeyForbidden, RateLimited, RecordNotFound, RequestRefused, ServerError
from sync.cliniko.payloads import text
from sync.connection import account
from sync.connection.account import Account
from sync.connection.rate_limit import share_for
from sync.connection.sealing import seal
from sync.connection.state import client_of, load
from sync.models import Connection, Cursor, ExcludedField, PatientChange, PatientRefresh, Reconciliation, RefusedPayload
from sync.resources import PATIENTS, RESOURCES, Resource
from sync.signals import account_changed
from tenants import registry
from tenants.context import current_clinic

NOT_COPIED = "invoices"  # asked about all the same, so that an owner learns what the key may do
NO_ZONE = "Cliniko’s time zone is none that Sidechart knows, so that times are shown in UTC: please tell us."
STILL_OPENING = timedelta(seconds=10)  # screens under way when the account changes, and clocks that differ


class AnotherAccount(ClinikoError):
    """The new key belongs to another Cliniko account than the mirrored one; nothing was changed.

    `account` and `held` are their names; `mark` tells the new one from all others.
    """

    def __init__(self, account: str, current: str, mark: str):
        words = f"This key belongs to another Cliniko account ({account}) than the mirrored one ({current})"
        super().__init__(f"{words}: nothing was changed.")
        self.account, self.current, self.mark = account, current, mark


@dataclass(frozen=True)
class Connected:
    """Whom a key speaks for, and what it may read: by resource label, and of invoices where Cliniko says, True or
    False."""

    account: str
    shard: str
    user: str
    role: str
    may_read: dict[str, bool]
    time_zone: str

    def __str__(self) -> str:
        """`Connected to Bondi Physio (au2) as Kim Key, administrator. Patients: yes. Classes: no, …`"""
        who = ", ".join(filter(None, (self.user, self.role)))
        rights = " ".join(f"{capfirst(label)}: {_right(label, may)}." for label, may in self.may_read.items())
        told = f"Connected to {self.account} ({self.shard}) as {who}. {rights}"
        return f"{told} {NO_ZONE}" if self.time_zone == time_zones.UNKNOWN else told


def _right(label: str, may: bool) -> str:
    if not may:
        return "no, this user’s role may not"
    return "yes, though Sidechart does not copy them" if label == NOT_COPIED else "yes"


def connect(
    key: ApiKey, *, by: Actor, confirm_other_account: bool | str = False, timeout: float | None = None
) -> Connected:
    """Ask Cliniko who this key is and what it may read; store it only when it works, and make the clinic due.

    The stored key stays in use until then. `confirm_other_account` is True for any other account, or the mark of the
    one that was agreed to; `timeout` is for each of the eleven requests, in seconds. Raises KeyInvalid, KeyForbidden
    (patients are not to be read), AnotherAccount, RateLimited, Unreachable and AuditUnavailable.
    """
    found = _read_account(key, timeout)
    with transaction.atomic():
        Connection.objects.get_or_create(id=1)
        held = Connection.objects.select_for_update().get(id=1)
        moved = _require_confirmation(held, key, found.account, confirm_other_account)
        _store(held, key, found, moved=moved)
        Cursor.objects.update(refused_at=None, asks_hidden=True, failures=0, due_at=timezone.now())
        if moved:
            delete_account_data()
        _note_lists(found.looks)
        registry.mark_connected(found.account.name)
        registry.set_key_state(held.key_state)
        registry.mark_due()
        record(Action.KEY_CHANGED, by=by, key=repr(key), account=found.account.name)
    return _connected(key, found, held.time_zone)


def check_key(key: ApiKey, *, confirm_other_account: bool = False) -> Connected:
    """Ask Cliniko as `connect` does, raise what it raises, and store nothing."""
    found = _read_account(key, None)
    _require_confirmation(load(), key, found.account, confirm_other_account)
    return _connected(key, found, found.account.time_zone)


def _connected(key: ApiKey, found: "KeyDetails", time_zone: str) -> Connected:
    may_read = {resource.label: look.may_read for resource, look in found.looks.items()}
    if found.may_read_beyond is not None:
        may_read[NOT_COPIED] = found.may_read_beyond
    who = _name(found.user), text(found.user, "role")
    return Connected(found.account.name, key.shard, *who, may_read, time_zone)


def _require_confirmation(held: Connection, key: ApiKey, account: Account, agreed: bool | str) -> bool:
    """Whether this is another account than before. Raises AnotherAccount when nobody agreed to that."""
    # Two accounts that name no subdomain are not known to be one; the same subdomain on another shard is another.
    same = bool(account.subdomain) and (key.shard, account.subdomain) == (held.shard, held.account_subdomain)
    if same or not held.connected_at:
        return False
    mark = f"{key.shard}/{account.subdomain or account.name}"
    if agreed not in (True, mark):
        raise AnotherAccount(account.name, held.account_name, mark)
    return True


def delete_account_data() -> None:
    """Nothing of one account may be taken for another's: ids count up alike in all of them."""
    for resource in RESOURCES:
        resource.model._default_manager.all().delete()
    for model in (Cursor, Reconciliation, RefusedPayload, PatientRefresh, PatientChange):
        model._default_manager.all().delete()
    ExcludedField.objects.filter(restoring=True).delete()
    Connection.objects.update(account_since=timezone.now() + STILL_OPENING)
    account_changed.send(sender=Connection)


@dataclass(frozen=True)
class ListAccess:
    """What a key was told of one list: whether it may read it, and how many there are, where Cliniko says."""

    may_read: bool
    total: int | None = None


@dataclass(frozen=True)
class KeyDetails:
    """What Cliniko told of a key: its user, the account with its settings, and each list."""

    user: dict[str, Any]
    account: Account
    looks: dict[Resource, ListAccess]
    may_read_beyond: bool | None


def _read_account(key: ApiKey, timeout: float | None) -> KeyDetails:
    try:
        with closing(client_of(key, timeout)) as client:
            user, page = client.user(), client.settings()
            looks = {resource: _check_access(client, resource.name) for resource in RESOURCES}
            if not looks[PATIENTS].may_read:
                raise KeyForbidden(f"The Cliniko user who made this key, {_name(user)}, may not read patients.")
            beyond = _may_read_invoices(client, key)
    except RateLimited as limit:
        share_for(key, "launches").block(limit.until)
        raise
    return KeyDetails(user, account.parse_account(page), looks, beyond)


def _check_access(client: Cliniko, resource: str) -> ListAccess:
    try:
        return ListAccess(True, client.list(resource, filters=(), sort="id:asc", per_page=1).total)
    except (KeyForbidden, RecordNotFound):
        return ListAccess(False)
    except (ServerError, RequestRefused):
        # A list that fails today keeps no key from being stored: the walk finds out.
        if resource == PATIENTS.name:
            raise
    return ListAccess(True)


def _may_read_invoices(client: Cliniko, key: ApiKey) -> bool | None:
    """None when Cliniko does not say, which keeps no key from being stored. Of what it answers nothing is kept."""
    try:
        client.list(NOT_COPIED, filters=(), sort="id:asc", per_page=1)
    except KeyForbidden:
        return False
    except RateLimited as limit:
        share_for(key, "launches").block(limit.until)
        return None
    except ClinikoError:
        return None
    return True


def _note_lists(looks: dict[Resource, ListAccess]) -> None:
    """What the key was told, so that pages need not wait for the first walk to say it."""
    for resource, look in looks.items():
        cursor, _ = Cursor.objects.get_or_create(resource=resource.name)
        cursor.refused_at = None if look.may_read else timezone.now()
        if cursor.imported_at is None and cursor.walk_clock is None:
            cursor.total = look.total
        cursor.save(update_fields=["refused_at", "total"])


def _name(user: dict[str, Any]) -> str:
    return f"{text(user, 'first_name')} {text(user, 'last_name')}".strip()


def _store(held: Connection, key: ApiKey, found: KeyDetails, *, moved: bool) -> None:
    held.key_state = Connection.KeyState.OK
    held.sealed_key = seal(key, clinic=current_clinic().schema_name, keys=settings.SEALING_KEYS)
    held.key_last4, held.shard = key.last4, key.shard
    held.account_name, held.account_subdomain = found.account.name, found.account.subdomain
    held.patient_word = found.account.patient_word or "patient"
    if moved or found.account.time_zone != time_zones.UNKNOWN:
        held.time_zone = found.account.time_zone
    held.key_user_name, held.key_user_role = _name(found.user), text(found.user, "role")
    held.connected_at = held.account_checked_at = timezone.now()
    held.resume_at, held.failures = None, 0
    if held.state != Connection.State.PAUSED:  # which lasts until somebody ends it
        held.state, held.state_since = Connection.State.OK, timezone.now()
    held.lease_token = held.lease_until = None  # a worker under way with the former key writes nothing more
    held.owners_notified_at = None
    held.save()
