"""Storing an API key, after checking with Cliniko whose it is and what it may read."""

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
from sync.connection.account import Account, parse_account
from sync.connection.rate_limit import share_for
from sync.connection.sealing import seal
from sync.connection.state import client_of, load
from sync.models import Connection, Cursor, ExcludedField, PatientChange, PatientRefresh, Reconciliation, RefusedPayload
from sync.resources import PATIENTS, RESOURCES, Resource
from sync.signals import account_changed
from tenants import registry
from tenants.context import current_clinic

INVOICES = "invoices"  # never mirrored; checked so that an owner learns what the key may read
UNKNOWN_TIME_ZONE = "Sidechart doesn’t know this account’s time zone, so times are shown in UTC. Please tell us."
ACCOUNT_CHANGE_GRACE = timedelta(seconds=10)  # for screens that are loading during the change, and clock skew


class AnotherAccount(ClinikoError):
    """The new key belongs to another Cliniko account than the mirrored one; nothing was changed.

    `account` and `current` are their names; `mark` identifies the new one, for `confirm_other_account`.
    """

    def __init__(self, account: str, current: str, mark: str):
        super().__init__(
            f"This key belongs to another Cliniko account ({account}), not the mirrored one ({current}). "
            "Nothing was changed."
        )
        self.account, self.current, self.mark = account, current, mark


@dataclass(frozen=True)
class Connected:
    """Who a key belongs to and what it may read, by resource label (and of invoices, if Cliniko says)."""

    account: str
    shard: str
    user: str
    role: str
    may_read: dict[str, bool]
    time_zone: str

    def __str__(self) -> str:
        """`Connected to Bondi Physio (au2) as Kim Key, administrator. Patients: yes. Appointments: no, …`"""
        user = ", ".join(filter(None, (self.user, self.role)))
        parts = [f"Connected to {self.account} ({self.shard}) as {user}."]
        for label, allowed in self.may_read.items():
            yes = "yes, though Sidechart doesn’t copy them" if label == INVOICES else "yes"
            parts.append(f"{capfirst(label)}: {yes if allowed else 'no, this user’s role doesn’t allow it'}.")
        if self.time_zone == time_zones.UNKNOWN:
            parts.append(UNKNOWN_TIME_ZONE)
        return " ".join(parts)


@dataclass(frozen=True)
class ListAccess:
    """Whether a key may read a list, and how many records it has, if Cliniko says."""

    may_read: bool
    total: int | None = None


@dataclass(frozen=True)
class KeyDetails:
    """What Cliniko says about a key: its user, its account, and its access to each list."""

    user: dict[str, Any]
    account: Account
    access: dict[Resource, ListAccess]
    may_read_invoices: bool | None


def connect(
    key: ApiKey, *, by: Actor, confirm_other_account: bool | str = False, timeout: float | None = None
) -> Connected:
    """Check the key with Cliniko, store it if it works, and mark the clinic as due for sync.

    The stored key stays in use until then. `confirm_other_account` is True for any other account, or the mark of the
    confirmed one; `timeout` is in seconds for each of the eleven requests. Raises KeyInvalid, KeyForbidden (patients
    can't be read), AnotherAccount, RateLimited, Unreachable and AuditUnavailable.
    """
    details = _read_account(key, timeout)
    with transaction.atomic():
        Connection.objects.get_or_create(id=1)
        connection = Connection.objects.select_for_update().get(id=1)
        account_changes = _require_confirmation(connection, key, details.account, confirm_other_account)
        _store(connection, key, details, account_changes=account_changes)
        Cursor.objects.update(refused_at=None, asks_hidden=True, failures=0, due_at=timezone.now())
        if account_changes:
            delete_account_data()
        _save_access(details.access)
        registry.mark_connected(details.account.name)
        registry.set_key_state(connection.key_state)
        registry.mark_due()
        record(Action.KEY_CHANGED, by=by, key=repr(key), account=details.account.name)
    return _connected(key, details, connection.time_zone)


def check_key(key: ApiKey, *, confirm_other_account: bool = False) -> Connected:
    """Check the key as `connect` does, with the same errors, and store nothing."""
    details = _read_account(key, None)
    _require_confirmation(load(), key, details.account, confirm_other_account)
    return _connected(key, details, details.account.time_zone)


def _connected(key: ApiKey, details: KeyDetails, time_zone: str) -> Connected:
    may_read = {resource.label: access.may_read for resource, access in details.access.items()}
    if details.may_read_invoices is not None:
        may_read[INVOICES] = details.may_read_invoices
    user, role = _full_name(details.user), text(details.user, "role")
    return Connected(details.account.name, key.shard, user, role, may_read, time_zone)


def _require_confirmation(connection: Connection, key: ApiKey, account: Account, confirmed: bool | str) -> bool:
    """Return whether the key belongs to another account than the mirrored one. Raises AnotherAccount if unconfirmed."""
    # Accounts without a subdomain can't be told apart; the same subdomain on another shard is another account.
    former = (connection.shard, connection.account_subdomain)
    same = bool(account.subdomain) and (key.shard, account.subdomain) == former
    if same or not connection.connected_at:
        return False
    mark = f"{key.shard}/{account.subdomain or account.name}"
    if confirmed not in (True, mark):
        raise AnotherAccount(account.name, connection.account_name, mark)
    return True


def delete_account_data() -> None:
    """Delete everything mirrored from the former account. Ids are reused between accounts: they'd mean other people."""
    for resource in RESOURCES:
        resource.model._default_manager.all().delete()
    for model in (Cursor, Reconciliation, RefusedPayload, PatientRefresh, PatientChange):
        model._default_manager.all().delete()
    ExcludedField.objects.filter(restoring=True).delete()
    Connection.objects.update(account_since=timezone.now() + ACCOUNT_CHANGE_GRACE)
    account_changed.send(sender=Connection)


def _read_account(key: ApiKey, timeout: float | None) -> KeyDetails:
    try:
        with closing(client_of(key, timeout)) as client:
            user, page = client.user(), client.settings()
            access = {resource: _check_access(client, resource.name) for resource in RESOURCES}
            if not access[PATIENTS].may_read:
                name = _full_name(user)
                raise KeyForbidden(f"The Cliniko user who made this key, {name}, isn't allowed to read patients.")
            may_read_invoices = _may_read_invoices(client, key)
    except RateLimited as limit:
        share_for(key, "launches").block(limit.until)
        raise
    return KeyDetails(user, parse_account(page), access, may_read_invoices)


def _check_access(client: Cliniko, resource: str) -> ListAccess:
    try:
        return ListAccess(True, client.list(resource, filters=(), sort="id:asc", per_page=1).total)
    except (KeyForbidden, RecordNotFound):
        return ListAccess(False)
    except (ServerError, RequestRefused):
        # A list that fails today doesn't stop the key from being stored; the sync retries it.
        if resource == PATIENTS.name:
            raise
    return ListAccess(True)


def _may_read_invoices(client: Cliniko, key: ApiKey) -> bool | None:
    """Return None if Cliniko doesn't say, which never stops the key from being stored. The response is discarded."""
    try:
        client.list(INVOICES, filters=(), sort="id:asc", per_page=1)
    except KeyForbidden:
        return False
    except RateLimited as limit:
        share_for(key, "launches").block(limit.until)
        return None
    except ClinikoError:
        return None
    return True


def _save_access(access: dict[Resource, ListAccess]) -> None:
    """Save what the key may read, so pages show it before the first walk."""
    for resource, found in access.items():
        cursor, _ = Cursor.objects.get_or_create(resource=resource.name)
        cursor.refused_at = None if found.may_read else timezone.now()
        if cursor.imported_at is None and cursor.walk_clock is None:
            cursor.total = found.total
        cursor.save(update_fields=["refused_at", "total"])


def _full_name(user: dict[str, Any]) -> str:
    return f"{text(user, 'first_name')} {text(user, 'last_name')}".strip()


def _store(connection: Connection, key: ApiKey, details: KeyDetails, *, account_changes: bool) -> None:
    account = details.account
    connection.key_state = Connection.KeyState.OK
    connection.sealed_key = seal(key, clinic=current_clinic().schema_name, keys=settings.SEALING_KEYS)
    connection.key_last4, connection.shard = key.last4, key.shard
    connection.account_name, connection.account_subdomain = account.name, account.subdomain
    connection.patient_word = account.patient_word or "patient"
    if account_changes or account.time_zone != time_zones.UNKNOWN:
        connection.time_zone = account.time_zone
    connection.key_user_name, connection.key_user_role = _full_name(details.user), text(details.user, "role")
    connection.connected_at = connection.account_checked_at = timezone.now()
    connection.resume_at, connection.failures = None, 0
    if connection.state != Connection.State.PAUSED:  # a pause lasts until it is resumed
        connection.state, connection.state_since = Connection.State.OK, timezone.now()
    connection.lease_token = connection.lease_until = None  # a worker with the former key writes nothing more
    connection.owners_notified_at = None
    connection.save()
