"""Encryption of a clinic's API key. It decrypts only with our SEALING_KEYS and only in its own clinic."""

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
    """The stored API key can't be decrypted in this clinic with the current SEALING_KEYS. It must be entered again."""


def _fernet(clinic: str, keys: Sequence[str]) -> MultiFernet:
    return fernet(f"cliniko key {clinic}", keys=keys)


def seal(key: ApiKey, *, clinic: str, keys: Sequence[str]) -> str:
    """Encrypt the key for this clinic with the first of `keys`."""
    return _fernet(clinic, keys).encrypt(key.reveal().encode()).decode()


def unseal(sealed: str, *, clinic: str, keys: Sequence[str]) -> ApiKey:
    """Decrypt with any of `keys`. Raises KeyCannotBeOpened."""
    try:
        return ApiKey(_fernet(clinic, keys).decrypt(sealed).decode())
    except InvalidToken:
        raise KeyCannotBeOpened("The stored API key can't be decrypted here. Enter it again.") from None


def fingerprint(key: ApiKey, *, keys: Sequence[str]) -> str:
    """Return 32 hexadecimal digits that identify the key across clinics and reveal nothing else about it."""
    derived = HKDF(SHA256(), 32, salt=None, info=b"sidechart fingerprint of a cliniko key").derive(keys[0].encode())
    return hmac.digest(derived, key.body.encode(), "sha256").hex()[:32]


def reseal(*, sealed_in: str | None = None) -> bool:
    """Encrypt the current clinic's stored key with the first of our SEALING_KEYS. Must be called in a transaction.

    `sealed_in` is the schema that the key was sealed in, if that's another one: after a restore. Returns False if the
    key can't be decrypted: it stays as it is and must be entered again.
    """
    connection = Connection.objects.select_for_update().filter(id=1).exclude(sealed_key="").first()
    if connection is None:
        return True
    schema_name = current_clinic().schema_name
    try:
        key = unseal(connection.sealed_key, clinic=sealed_in or schema_name, keys=settings.SEALING_KEYS)
    except KeyCannotBeOpened:
        return False
    connection.sealed_key = seal(key, clinic=schema_name, keys=settings.SEALING_KEYS)
    connection.save(update_fields=["sealed_key"])
    return True


def delete_key() -> None:
    """Delete the current clinic's key until one is entered. The mirrored account stays on record."""
    Connection.objects.filter(id=1).update(
        sealed_key="",
        key_last4="",
        key_state=Connection.KeyState.MISSING,
        state=Connection.State.NO_KEY,
        state_since=timezone.now(),
        resume_at=None,
    )
