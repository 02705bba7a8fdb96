"""Boxes for secrets: what is stored opens with our keys, for the purpose it was sealed for, and nowhere else."""

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def fernet(purpose: str, *, keys: Sequence[str]) -> MultiFernet:
    """The first key seals, all open. `purpose` names kind and owner, a clinic's schema among them, and is part of each
    derived key: a ciphertext moved to another owner is noise."""
    info = b"sidechart " + purpose.encode()
    derived = [HKDF(SHA256(), 32, salt=None, info=info).derive(key.encode()) for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])
