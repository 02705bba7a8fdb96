"""Second factors for tests: authenticator app, recovery codes, and a passkey device in software."""

import hmac
import json
import os
import time
from base64 import b32decode, urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

from allauth.account.utils import user_pk_to_url_str
from allauth.core.context import request_context
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.test import Client
from fido2 import cbor
from fido2.cose import ES256

from accounts import second_factors
from accounts.allauth_internals import RecoveryCodes, WebAuthn
from accounts.models import User
from tenants.context import clinic_context

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def totp_code(secret: str = SECRET, *, steps: int = 0) -> str:
    """Return the code that an app with this base32 secret shows now, or this many 30-second steps later."""
    # Reference: https://www.rfc-editor.org/rfc/rfc6238 and, for the truncation, rfc4226 section 5.3
    counter = int(time.time()) // 30 + steps
    digest = hmac.digest(b32decode(secret), counter.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 15
    return f"{(int.from_bytes(digest[offset : offset + 4], 'big') & 0x7FFFFFFF) % 10**6:06}"


def add_app(label: str, user: User) -> Authenticator:
    """Set up an authenticator app for a user of this clinic."""
    with clinic_context(label):
        return add_app_here(user)


def add_app_here(user: User) -> Authenticator:
    """Set up an authenticator app for a user of the current schema."""
    data = {"secret": second_factors.seal(SECRET, user.pk)}
    return Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data=data)


def add_recovery_codes(label: str, user: User) -> list[str]:
    with clinic_context(label), request_context(SimpleNamespace(user=user)):
        return list(RecoveryCodes.activate(user).generate_codes())


def add_passkey(label: str, user: User) -> "Device":
    device = Device(f"{label}.localhost")
    options = {"publicKey": {"user": {"id": _encode(user_pk_to_url_str(user).encode())}, "challenge": "eA"}}
    with clinic_context(label):
        WebAuthn.add(user, "Passkey", json.loads(device.create(options)))
    return device


class Device:
    """A passkey device with one key for one host."""

    # Reference: https://www.w3.org/TR/webauthn-2/#sctn-authenticator-data

    def __init__(self, host: str = "bondi.localhost"):
        self.host = host
        self.origin = f"http://{host}"  # of the page that asks
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._id = os.urandom(16)
        self._user = ""

    def create(self, options: dict[str, Any]) -> str:
        """Return the response to a prompt that creates a passkey."""
        self._user = options["publicKey"]["user"]["id"]
        public_key = cbor.encode(dict(ES256.from_cryptography_key(self._key.public_key())))
        credential = bytes(16) + len(self._id).to_bytes(2, "big") + self._id + public_key
        attestation = {"fmt": "none", "attStmt": {}, "authData": self._authenticator_data(flags=0x45) + credential}
        client_data = self._client_data("webauthn.create", options)
        return self._response(clientDataJSON=client_data, attestationObject=cbor.encode(attestation))

    def get(self, options: dict[str, Any], *, verified: bool = True) -> str:
        """Return the response to a prompt that uses the passkey. Not `verified`: it was only touched, without
        fingerprint, face or PIN."""
        data = self._authenticator_data(flags=0x05 if verified else 0x01)
        client_data = self._client_data("webauthn.get", options)
        signature = self._key.sign(data + sha256(client_data).digest(), ec.ECDSA(SHA256()))
        user = urlsafe_b64decode(self._user + "==")
        return self._response(clientDataJSON=client_data, authenticatorData=data, signature=signature, userHandle=user)

    def _authenticator_data(self, flags: int) -> bytes:
        return sha256(self.host.encode()).digest() + bytes([flags]) + bytes(4)

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        challenge = options["publicKey"]["challenge"]
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _response(self, **response: bytes) -> str:
        return json.dumps(
            {
                "id": _encode(self._id),
                "rawId": _encode(self._id),
                "type": "public-key",
                "clientExtensionResults": {"credProps": {"rk": True}},
                "response": {name: _encode(value) for name, value in response.items()},
            }
        )


def _encode(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def passkey_options(browser: Client, path: str) -> dict[str, Any]:
    """Return the options for a page's passkey prompt."""
    options: dict[str, Any] = json.loads(browser.post(path).content)
    return options
