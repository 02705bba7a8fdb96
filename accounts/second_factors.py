"""The second factor: passkeys, an authenticator app, recovery codes. allauth checks them; the rest is here."""

from datetime import date
from typing import Any

import structlog
from allauth.account.internal.stagekit import unstash_login
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from cryptography.fernet import InvalidToken, MultiFernet
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.http import HttpRequest

from accounts.models import User, in_public, schema_name
from audit.log import Action, Actor, record
from tenants.context import current_clinic
from tenants.sealing import fernet

FACTORS = (Authenticator.Type.WEBAUTHN, Authenticator.Type.TOTP)  # recovery codes stand in for these
log = structlog.get_logger(__name__)


class SecondFactorAdapter(DefaultMFAAdapter):
    """How allauth keeps second factors here: secrets sealed for one person of one clinic, passkeys for one host."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "That did not work. Check the code, or use a newer one.",
    }

    def encrypt(self, text: str) -> str:
        return seal(text, _whose(context.request))

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text, _whose(context.request))

    def get_totp_issuer(self) -> str:
        return "Sidechart ops" if in_public() else f"Sidechart {current_clinic().name}"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        if in_public():
            return {"id": settings.BASE_DOMAIN, "name": "Sidechart ops"}
        clinic = current_clinic()
        return {"id": f"{clinic.label}.{settings.BASE_DOMAIN}", "name": f"Sidechart at {clinic.name}"}

    def generate_authenticator_name(self, user: AbstractBaseUser, type: Authenticator.Type) -> str:
        held = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return f"Passkey {held + 1}" if held else "Passkey"


def seal(text: str, user_id: int) -> str:
    """What to store of a secret of this person of the clinic we are inside of."""
    return _box(user_id).encrypt(text.encode()).decode()


def unseal(sealed: str, user_id: int, *, within_seconds: int | None = None) -> str:
    """Raises the validation error of a wrong code when it was not sealed for this person here, or too long ago."""
    try:
        return _box(user_id).decrypt(sealed.encode(), within_seconds).decode()
    except InvalidToken:
        log.warning("second_factor_does_not_open")
        raise SecondFactorAdapter().validation_error("incorrect_code") from None


def has_second_factor(user: User | AnonymousUser) -> bool:
    """Whether this person has a passkey or an authenticator app."""
    return Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exists()


def is_missing(request: HttpRequest, *, on: date) -> bool:
    """Whether the clinic requires a second factor on this day of whoever is signed in, and they have none."""
    held = getattr(request, "held_session", None)
    required_from = held.policy.require_second_factor_from if held else None
    if required_from is None or required_from > on or not request.user.is_authenticated:
        return False
    return not has_second_factor(request.user)


def reset(user: User, *, by: Actor) -> bool:
    """Take every factor from somebody who can use none of them, and end their sessions. False when they had none."""
    with transaction.atomic():
        deleted, _ = Authenticator.objects.filter(user=user).delete()
        if deleted:
            user.open_sessions.all().delete()
            record(Action.SECOND_FACTOR_RESET, by=by, whom=user.email)
    return deleted > 0


def ensure_recovery_codes(user: User) -> None:
    """Make recovery codes with the first factor."""
    if not Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).exists():
        RecoveryCodes.activate(user)


def remove(factor: Authenticator) -> None:
    """Remove a factor, and with the last one the recovery codes, which stand in for one."""
    user_id = factor.user_id
    factor.delete()
    if not Authenticator.objects.filter(user_id=user_id, type__in=FACTORS).exists():
        Authenticator.objects.filter(user_id=user_id).delete()


def begin_passkey_prompt(request: HttpRequest, purpose: str) -> None:
    """Note what the passkey that is about to be asked for may be used for: an answer counts for nothing else."""
    request.session[_PURPOSE] = purpose


def pop_passkey_purpose(request: HttpRequest, purpose: str) -> bool:
    return bool(request.session.pop(_PURPOSE, "") == purpose)


_PURPOSE = "passkey_for"


def reseal(*, sealed_in: str | None = None) -> int:
    """Seal every secret of the clinic we are inside of, or of ops, with the first key, and give how many do not open.

    `sealed_in` is the schema that they were sealed in, when that is another one: after a restore.
    """
    unopened = 0
    for factor in Authenticator.objects.select_for_update():
        sealed, fresh = _box(factor.user_id, sealed_in), _box(factor.user_id)
        try:
            for name in _SECRETS & set(factor.data):
                factor.data[name] = fresh.encrypt(sealed.decrypt(factor.data[name].encode())).decode()
        except InvalidToken:
            unopened += 1
        else:
            factor.save(update_fields=["data"])
    return unopened


_SECRETS = {"secret", "seed"}  # of an authenticator app, of recovery codes; a passkey holds none


def _box(user_id: int, schema: str | None = None) -> MultiFernet:
    return fernet(f"second factor {schema or schema_name()} {user_id}", keys=settings.SEALING_KEYS)


def _whose(request: Any) -> int:
    """allauth hands a secret over without its owner: whoever is signed in, or is at the second step of it."""
    if request.user.is_authenticated:
        return int(request.user.pk)
    login = unstash_login(request, peek=True)
    if login is None or login.user is None:
        raise PermissionError("Nobody is here whose secret this could be.")
    return int(login.user.pk)
