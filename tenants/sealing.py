"""Encryption of stored secrets, bound to a purpose."""

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def fernet(purpose: str, *, keys: Sequence[str]) -> MultiFernet:
    """Return a Fernet that encrypts with the first key and decrypts with all of them.

    `purpose` names the kind of secret and its owner, including the clinic's schema. It is part of each derived key, so
    a ciphertext can't be decrypted for another owner.
    """
    info = b"sidechart " + purpose.encode()
    derived = [HKDF(SHA256(), 32, salt=None, info=info).derive(key.encode()) for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])
