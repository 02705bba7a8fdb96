"""Second factors: passkeys, authenticator apps and recovery codes. allauth verifies them; our rules are here."""

from datetime import date
from typing import Any

import structlog
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken, MultiFernet
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.http import HttpRequest

from accounts.allauth_internals import RecoveryCodes, unstash_login
from accounts.models import User, in_public, schema_name
from audit.log import Action, Actor, record
from tenants.context import current_clinic
from tenants.sealing import fernet

FACTORS = (Authenticator.Type.WEBAUTHN, Authenticator.Type.TOTP)  # recovery codes only replace one of these
_PURPOSE = "passkey_purpose"  # in the session
_SECRET_FIELDS = {"secret", "seed"}  # of an authenticator app, of recovery codes; a passkey has no secret
log = structlog.get_logger(__name__)


class SecondFactorAdapter(DefaultMFAAdapter):
    """allauth's second factors here: secrets are sealed for one user of one schema, passkeys work on one host."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "That didn't work. Check the code, or use a newer one.",
    }

    def encrypt(self, text: str) -> str:
        return seal(text, _owner_id(context.request))

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text, _owner_id(context.request))

    def get_totp_issuer(self) -> str:
        return "Sidechart console" if in_public() else f"Sidechart {current_clinic().name}"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        if in_public():
            return {"id": settings.BASE_DOMAIN, "name": "Sidechart console"}
        clinic = current_clinic()
        return {"id": f"{clinic.label}.{settings.BASE_DOMAIN}", "name": f"Sidechart at {clinic.name}"}

    def generate_authenticator_name(self, user: AbstractBaseUser, type: Authenticator.Type) -> str:
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return f"Passkey {count + 1}" if count else "Passkey"


def seal(text: str, user_id: int) -> str:
    """Encrypt a secret for this user of the current schema."""
    return _fernet(user_id).encrypt(text.encode()).decode()


def unseal(sealed: str, user_id: int, *, within_seconds: int | None = None) -> str:
    """Decrypt a secret. Raises ValidationError ("incorrect code") if it was sealed for another user or schema, or
    longer than `within_seconds` ago."""
    try:
        return _fernet(user_id).decrypt(sealed.encode(), within_seconds).decode()
    except InvalidToken:
        log.warning("second_factor_not_unsealed")
        raise SecondFactorAdapter().validation_error("incorrect_code") from None


def has_second_factor(user: User | AnonymousUser) -> bool:
    """Return True if the user has a passkey or an authenticator app."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exists())


def user_ids() -> set[int]:
    """Return the ids of all users with a passkey or an authenticator app."""
    return set(Authenticator.objects.filter(type__in=FACTORS).values_list("user_id", flat=True))


def is_missing(request: HttpRequest, *, on: date) -> bool:
    """Return True if the policy requires a second factor on this date and the signed-in user has none."""
    session = getattr(request, "current_session", None)
    required_from = session.policy.require_second_factor_from if session else None
    if required_from is None or required_from > on or not request.user.is_authenticated:
        return False
    return not has_second_factor(request.user)


def reset(user: User, *, by: Actor) -> bool:
    """Remove all second factors of a user who can no longer use them, and end their sessions. Return False if they had
    none. Raises AuditUnavailable."""
    with transaction.atomic():
        deleted, _ = Authenticator.objects.filter(user=user).delete()
        if deleted:
            user.open_sessions.all().delete()
            record(Action.SECOND_FACTOR_RESET, by=by, person=user.email)
    return bool(deleted)


def ensure_recovery_codes(user: User) -> None:
    """Create recovery codes unless the user has some."""
    if not Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).exists():
        RecoveryCodes.activate(user)


def remove(factor: Authenticator) -> None:
    """Remove a factor, and with the last one the recovery codes."""
    user_id = factor.user_id
    factor.delete()
    if not Authenticator.objects.filter(user_id=user_id, type__in=FACTORS).exists():
        Authenticator.objects.filter(user_id=user_id).delete()


def begin_passkey_prompt(request: HttpRequest, purpose: str) -> None:
    """Store what the browser's passkey prompt is for. Its response is valid for no other purpose."""
    request.session[_PURPOSE] = purpose


def pop_passkey_purpose(request: HttpRequest) -> str:
    """Return and clear the purpose of the last passkey prompt, or ""."""
    return str(request.session.pop(_PURPOSE, ""))


def reseal(*, sealed_in: str | None = None) -> int:
    """Seal every secret of the current schema again, with the first of SEALING_KEYS. Return how many can't be unsealed.

    After a restore, `sealed_in` is the schema in which they were sealed.
    """
    failed = 0
    for factor in Authenticator.objects.select_for_update():
        old, new = _fernet(factor.user_id, sealed_in), _fernet(factor.user_id)
        try:
            for name in _SECRET_FIELDS & set(factor.data):
                factor.data[name] = new.encrypt(old.decrypt(factor.data[name].encode())).decode()
        except InvalidToken:
            failed += 1
        else:
            factor.save(update_fields=["data"])
    return failed


def _fernet(user_id: int, schema: str | None = None) -> MultiFernet:
    return fernet(f"second factor {schema or schema_name()} {user_id}", keys=settings.SEALING_KEYS)


def _owner_id(request: Any) -> int:
    """Return the id of the user who is signed in or between password and second factor: allauth passes no user."""
    if request.user.is_authenticated:
        return int(request.user.pk)
    login = unstash_login(request, peek=True)
    if login is None or login.user is None:
        raise PermissionError("A second factor's secret needs a user who is signed in or signing in.")
    return int(login.user.pk)
