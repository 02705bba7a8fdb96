"""Enter the clinic's API key: check what was pasted, test it with Cliniko and store it."""

import re
from dataclasses import dataclass
from enum import Enum, auto

from audit.log import Actor
from sync.cliniko.client import ApiKey
from sync.cliniko.errors import ClinikoError, KeyRefused, RateLimited
from sync.connection import connect
from sync.connection import state as connection_state
from sync.connection.connect import AnotherAccount, Connected
from sync.connection.outcome import Outcome, outcome_of
from sync.models import Patient
from tenants.dates import at

__all__ = ["Connected", "KeyNotAccepted", "KeyProblem", "OtherAccount", "StoredKey", "current_key", "enter_key"]

REQUEST_TIMEOUT = 8.0  # seconds, while the page waits


class KeyProblem(Enum):
    """Why a key isn't stored, apart from how Cliniko answered (an Outcome)."""

    EMPTY = auto()
    URL = auto()
    EMAIL = auto()
    WHITESPACE = auto()
    MALFORMED = auto()
    OTHER_ACCOUNT = auto()


class KeyNotAccepted(Exception):
    """The new key isn't stored, and the current one stays in use.

    `details` fill the text for the reason in launch/messages.py: after an Outcome `shard`, the `error`, and for a rate
    limit `until`.
    """

    def __init__(self, reason: KeyProblem | Outcome, **details: str):
        super().__init__(reason.name)
        self.reason, self.details = reason, details


class OtherAccount(KeyNotAccepted):
    """The key works, but for another Cliniko account than the mirrored one.

    To confirm the move, pass `mark` to `enter_key`; it deletes the mirror with its `patients` (a count).
    """

    def __init__(self, account: str, current: str, mark: str, patients: int):
        super().__init__(KeyProblem.OTHER_ACCOUNT, account=account, current=current)
        self.account, self.current, self.mark, self.patients = account, current, mark, patients


@dataclass(frozen=True)
class StoredKey:
    """The key in use, as pages show it. `works` is False once Cliniko has refused it."""

    last4: str
    account: str
    shard: str
    user: str
    role: str
    works: bool


def current_key() -> StoredKey | None:
    """Return the clinic's key; None before the first one."""
    now = connection_state.load()
    if not now.sealed_key:
        return None
    works = now.key_state != connection_state.KeyState.INVALID
    return StoredKey(now.key_last4, now.account_name, now.shard, now.key_user_name, now.key_user_role, works)


def enter_key(pasted: str, *, by: Actor, confirmed_account: str = "") -> Connected:
    """Test the pasted key with Cliniko and store it if it works.

    `confirmed_account` is the mark of another account that the user agreed to move to. Raises KeyNotAccepted,
    OtherAccount and AuditUnavailable.
    """
    key = clean_key(pasted)
    try:
        return connect.connect(key, by=by, confirm_other_account=confirmed_account or False, timeout=REQUEST_TIMEOUT)
    except AnotherAccount as other:
        patients = Patient.objects.filter(deleted_at=None).count()
        raise OtherAccount(other.account, other.current, other.mark, patients) from None
    except ClinikoError as failure:
        details = {"shard": key.shard, "error": str(failure)}
        if isinstance(failure, RateLimited):
            zone = connection_state.load().time_zone
            details["until"] = f"{at(failure.until, zone)} ({zone.replace('_', ' ')})"
        raise KeyNotAccepted(outcome_of(failure), **details) from None


def clean_key(pasted: str) -> ApiKey:
    """Return the key without the whitespace that comes with copying from an email. Raises KeyNotAccepted."""
    text = pasted.strip()
    if not text:
        raise KeyNotAccepted(KeyProblem.EMPTY)
    if "://" in text or re.search(r"cliniko\.com", text, re.IGNORECASE):
        raise KeyNotAccepted(KeyProblem.URL)
    if "@" in text:
        raise KeyNotAccepted(KeyProblem.EMAIL)
    if re.search(r"\s", text):
        raise KeyNotAccepted(KeyProblem.WHITESPACE)
    try:
        return ApiKey(text)
    except KeyRefused:
        raise KeyNotAccepted(KeyProblem.MALFORMED) from None
