"""Sealing of a clinic's API key: what is stored opens with our keys, in its own clinic, and nowhere else."""

import hmac
from collections.abc import Sequence

from cryptography.fernet import InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils import timezone

from sync.cliniko.client import ApiKey
from sync.models import Connection
from tenants.context import current_clinic
from tenants.sealing import fernet


class KeyCannotBeOpened(Exception):
    """The stored API key does not open with the SEALING_KEYS of this environment in this clinic: enter it again."""


def _box(clinic: str, keys: Sequence[str]) -> MultiFernet:
    return fernet(f"cliniko key {clinic}", keys=keys)


def seal(key: ApiKey, *, clinic: str, keys: Sequence[str]) -> str:
    return _box(clinic, keys).encrypt(key.reveal().encode()).decode()


def unseal(sealed: str, *, clinic: str, keys: Sequence[str]) -> ApiKey:
    """Raises KeyCannotBeOpened."""
    try:
        return ApiKey(_box(clinic, keys).decrypt(sealed).decode())
    except InvalidToken:
        raise KeyCannotBeOpened("The stored API key cannot be opened here: enter it again.") from None


def fingerprint(key: ApiKey, *, keys: Sequence[str]) -> str:
    """The same 32 hexadecimal digits for the same key at every clinic, which tell nothing else about it."""
    derived = HKDF(SHA256(), 32, salt=None, info=b"sidechart fingerprint of a cliniko key").derive(keys[0].encode())
    return hmac.digest(derived, key.body.encode(), "sha256").hex()[:32]


def reseal(*, sealed_in: str | None = None) -> bool:
    """Seal the stored key of the clinic we are inside of with the first of our keys. False when it does not open: it
    stays as it is, and somebody has to enter it again.

    `sealed_in` is the schema that it was sealed in, when that is another one: after a restore. Inside a transaction.
    """
    held = Connection.objects.select_for_update().filter(id=1).exclude(sealed_key="").first()
    if held is None:
        return True
    here = current_clinic().schema_name
    try:
        key = unseal(held.sealed_key, clinic=sealed_in or here, keys=settings.SEALING_KEYS)
    except KeyCannotBeOpened:
        return False
    held.sealed_key = seal(key, clinic=here, keys=settings.SEALING_KEYS)
    held.save(update_fields=["sealed_key"])
    return True


def delete_key() -> None:
    """The clinic we are inside of has no key until somebody enters one. Which account it is mirrored from stays."""
    Connection.objects.filter(id=1).update(
        sealed_key="",
        key_last4="",
        key_state=Connection.KeyState.MISSING,
        state=Connection.State.NO_KEY,
        state_since=timezone.now(),
        resume_at=None,
    )
