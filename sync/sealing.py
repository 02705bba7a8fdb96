"""Sealing of a clinic's API key: what is stored opens with our keys, in its own clinic, and nowhere else."""

import hmac
from collections.abc import Sequence

from cryptography.fernet import InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sync.cliniko import ApiKey
from tenants.sealing import box


class KeyCannotBeOpened(Exception):
    """The stored API key does not open with the SEALING_KEYS of this environment in this clinic: enter it again."""


def _box(clinic: str, keys: Sequence[str]) -> MultiFernet:
    return box(f"cliniko key {clinic}", keys=keys)


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
