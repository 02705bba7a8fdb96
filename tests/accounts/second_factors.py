"""Second factors in the hands of the cast: an authenticator app, and a passkey device made of software."""

import json
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

from allauth.account.utils import user_pk_to_url_str
from allauth.core.context import request_context
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.mfa.webauthn.internal.auth import WebAuthn
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.test import Client
from fido2 import cbor
from fido2.cose import ES256

from accounts import second_factors
from accounts.models import User
from tenants.context import clinic_context

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def totp_code(secret: str = SECRET, *, steps: int = 0) -> str:
    """What the app shows now, or so many half minutes later."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps)))


def add_app(label: str, user: User) -> Authenticator:
    """Set up an authenticator app for this person."""
    with clinic_context(label):
        return add_app_here(user)


def add_app_here(user: User) -> Authenticator:
    """The same for somebody of the schema we stand in."""
    data = {"secret": second_factors.seal(SECRET, user.pk)}
    return Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data=data)


def add_recovery_codes(label: str, user: User) -> list[str]:
    with clinic_context(label), request_context(SimpleNamespace(user=user)):
        return list(RecoveryCodes.activate(user).generate_codes())


def add_passkey(label: str, user: User) -> "Device":
    device = Device(f"{label}.localhost")
    options = {"publicKey": {"user": {"id": _text(user_pk_to_url_str(user).encode())}, "challenge": "eA"}}
    with clinic_context(label):
        WebAuthn.add(user, "Passkey", json.loads(device.create(options)))
    return device


class Device:
    """A passkey device: one key for one host, as the person at it sees a finger pressed."""

    def __init__(self, host: str = "bondi.localhost"):
        self.host = host
        self.origin = f"http://{host}"  # of the page that asks
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._id = os.urandom(16)
        self._user = ""

    def create(self, options: dict[str, Any]) -> str:
        """The answer to a dialog that makes a passkey."""
        self._user = options["publicKey"]["user"]["id"]
        public = cbor.encode(dict(ES256.from_cryptography_key(self._key.public_key())))
        held = bytes(16) + len(self._id).to_bytes(2, "big") + self._id + public
        attested = {"fmt": "none", "attStmt": {}, "authData": self._says(flags=0x45) + held}
        client = self._client("webauthn.create", options)
        return self._answer(clientDataJSON=client, attestationObject=cbor.encode(attested))

    def get(self, options: dict[str, Any], *, verified: bool = True) -> str:
        """The answer to a dialog that uses it; not `verified`: touched, and nobody looked at finger, face or PIN."""
        says, client = self._says(flags=0x05 if verified else 0x01), self._client("webauthn.get", options)
        signature = self._key.sign(says + sha256(client).digest(), ec.ECDSA(SHA256()))
        user = urlsafe_b64decode(self._user + "==")
        return self._answer(clientDataJSON=client, authenticatorData=says, signature=signature, userHandle=user)

    def _says(self, flags: int) -> bytes:
        return sha256(self.host.encode()).digest() + bytes([flags]) + bytes(4)

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        challenge = options["publicKey"]["challenge"]
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _answer(self, **response: bytes) -> str:
        return json.dumps(
            {
                "id": _text(self._id),
                "rawId": _text(self._id),
                "type": "public-key",
                "clientExtensionResults": {"credProps": {"rk": True}},
                "response": {name: _text(value) for name, value in response.items()},
            }
        )


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def passkey_options(browser: Client, path: str) -> dict[str, Any]:
    """What a page's passkey dialog is told."""
    found: dict[str, Any] = json.loads(browser.post(path).content)
    return found
