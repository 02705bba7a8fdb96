"""The door for pages that change the clinic's key: what was pasted is read and tried, and a refusal told in words."""

import re
from dataclasses import dataclass

from audit.log import Actor
from sync.cliniko.client import ApiKey
from sync.cliniko.errors import ClinikoError, KeyForbidden, KeyInvalid, KeyRefused, RateLimited, Unreachable
from sync.connection import connect
from sync.connection import state as connection_state
from sync.connection.connect import AnotherAccount, Connected
from sync.models import Patient
from tenants.dates import at

__all__ = ["Connected", "KeyNotAccepted", "OtherAccount", "StoredKey", "current_key", "enter_key"]

SECONDS_FOR_A_REQUEST = 8.0  # the page waits
COPY_AGAIN = "Copy the key once more from My info > Manage API keys in Cliniko, all of it, and paste it here."
_WHERE = (
    "In Cliniko, whoever is to make the key finds it under My info > Manage API keys. Copy it there and paste it here."
)


class KeyNotAccepted(Exception):
    """The key was not stored, and the one before is as it was. `happened` and `help` are sentences for staff."""

    def __init__(self, happened: str, help: str):
        super().__init__(f"{happened} {help}")
        self.happened, self.help = happened, help


class OtherAccount(KeyNotAccepted):
    """The key works, but for another Cliniko account than the mirrored one: somebody has to agree to that. `account`
    and `held` are their names, `mark` is what `take` wants to be given then, `patients` are those to be forgotten."""

    def __init__(self, account: str, current: str, mark: str, patients: int):
        super().__init__(
            f"This key belongs to another Cliniko account, {account}, than the one that is copied here, {current}.",
            "Nothing was changed. If somebody pasted the wrong key, paste the right one. If the clinic has moved to "
            "another account, say so below.",
        )
        self.account, self.current, self.mark, self.patients = account, current, mark, patients


@dataclass(frozen=True)
class StoredKey:
    """The key in use, as far as anybody is shown it. `works` is False once Cliniko refuses it."""

    last4: str
    account: str
    shard: str
    user: str
    role: str
    works: bool


def current_key() -> StoredKey | None:
    """The clinic's key; None before the first one."""
    now = connection_state.load()
    if not now.sealed_key:
        return None
    works = now.key_state != connection_state.KeyState.INVALID
    return StoredKey(now.key_last4, now.account_name, now.shard, now.key_user_name, now.key_user_role, works)


def enter_key(pasted: str, *, by: Actor, agreed_to: str = "") -> Connected:
    """Try what somebody pasted, and store it when it works. `agreed_to` is the mark of another account that they agreed
    to move to. Raises KeyNotAccepted, OtherAccount and AuditUnavailable."""
    key = clean_key(pasted)
    try:
        return connect.connect(key, by=by, confirm_other_account=agreed_to or False, timeout=SECONDS_FOR_A_REQUEST)
    except AnotherAccount as other:
        patients = Patient.objects.filter(deleted_at=None).count()
        raise OtherAccount(other.account, other.current, other.mark, patients) from None
    except ClinikoError as failure:
        raise _told(failure, key) from None


def clean_key(pasted: str) -> ApiKey:
    """The key in what was pasted; blanks and line ends around it come with mails. Raises KeyNotAccepted."""
    text = pasted.strip()
    if not text:
        raise KeyNotAccepted("There was no key to try.", _WHERE)
    if "://" in text or re.search(r"cliniko\.com", text, re.IGNORECASE):
        raise KeyNotAccepted("This is an address, not an API key.", _WHERE)
    if "@" in text:
        raise KeyNotAccepted("This is an e-mail address, not an API key.", _WHERE)
    if re.search(r"\s", text):
        raise KeyNotAccepted("There are blanks or line ends in the middle, and an API key has none.", COPY_AGAIN)
    try:
        return ApiKey(text)
    except KeyRefused:
        raise KeyNotAccepted(
            "This is not an API key of Cliniko: one is a long line of letters, digits and dashes.", COPY_AGAIN
        ) from None


def _told(failure: ClinikoError, key: ApiKey) -> KeyNotAccepted:
    if isinstance(failure, KeyInvalid):
        return KeyNotAccepted(
            f"Cliniko ({key.shard}) does not accept this key: it was not copied whole, was deleted in Cliniko, or the "
            "user who made it is no longer active.",
            f"{COPY_AGAIN} If it is refused again, make a new one there.",
        )
    if isinstance(failure, KeyForbidden):
        return KeyNotAccepted(
            f"{failure} A key may read what that user may read.",
            "A Cliniko administrator can widen that user's role, or make a key of their own: paste that one here.",
        )
    if isinstance(failure, RateLimited):
        zone = connection_state.load().time_zone
        when = f"{at(failure.until, zone)} ({zone.replace('_', ' ')})"
        return KeyNotAccepted(
            "Cliniko limits how often a key may ask, and the limit of this one is reached.",
            f"Nothing is wrong with it, and nobody has to do anything: paste it again {when}.",
        )
    if isinstance(failure, Unreachable):
        return KeyNotAccepted(
            f"Cliniko ({key.shard}) does not answer, so the key could not be tried.",
            "Paste it again in a few minutes. If Cliniko works for you in another window, look whether the key was "
            "copied whole: its ending says where Cliniko keeps the account.",
        )
    return KeyNotAccepted(
        "Cliniko gave an answer to this key that Sidechart does not understand.",
        "Try once more in a few minutes. If it stays so, tell us: it is ours to mend.",
    )
