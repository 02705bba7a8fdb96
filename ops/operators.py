"""The accounts of ops, who sign in on the base host. They are made and taken away on the server alone.

Everything here stands in public.
"""

from dataclasses import dataclass
from datetime import datetime
from smtplib import SMTPException
from typing import Any

import structlog
from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import transaction
from django.template.loader import render_to_string

from accounts import invitations, reset_links, second_factors
from accounts.models import User, clean_email
from accounts.roles import Role
from audit.log import OPS, Action, OperatorActor, record
from ops.models import BreakGlassGrant
from ops.onboarding import Refused

log = structlog.get_logger(__name__)
LONGEST_ADDRESS = 240  # with a word before it, it stands in the clinics' logs


@dataclass(frozen=True)
class Invited:
    """Somebody who may become one of ops by `invite_url`, which is secret."""

    email: str
    invite_url: str
    mailed: bool


@dataclass(frozen=True)
class Account:
    """One of ops, as `manage.py ops list` tells."""

    email: str
    name: str
    active: bool
    second_factor: bool
    last_login: datetime | None


def as_clinics_see(user: User) -> OperatorActor:
    """One of ops in a clinic's log: by address, and without a number, which there would be somebody else's."""
    return OperatorActor(email=f"ops ({user.email})")


def create(email: str) -> Invited:
    """Invite somebody to be one of ops. An earlier invitation no longer counts. Raises Refused."""
    email = clean_email(email)
    try:
        validate_email(email)
    except ValidationError:
        raise Refused(f"{email!r} is not an e-mail address.") from None
    if len(email) > LONGEST_ADDRESS:
        raise Refused(f"The address has more than {LONGEST_ADDRESS} letters.")
    if User.objects.filter(email=email).exists():
        raise Refused(f"{email} is one of ops already: `manage.py ops list` shows them.")
    try:
        _, url = invitations.invite(email, Role.READONLY)
    except invitations.InvitationRefused as refused:
        raise Refused(str(refused)) from None
    return Invited(email, url, _mailed("invitation", email, url=url))


def listing() -> list[Account]:
    """Everybody who has an account, by address."""
    protected = set(Authenticator.objects.filter(type__in=second_factors.FACTORS).values_list("user_id", flat=True))
    return [
        Account(user.email, user.name, user.is_active, user.pk in protected, user.last_login)
        for user in User.objects.order_by("email")
    ]


def suspend(email: str) -> bool:
    """End somebody's sessions and looks into clinics, and let them in no more. False when they were suspended before.
    Raises Refused."""
    with transaction.atomic():
        user = _find(email)
        changed = user.is_active
        User.objects.filter(pk=user.pk).update(is_active=False)
        user.open_sessions.all().delete()
        BreakGlassGrant.objects.filter(user_id=user.pk).delete()
        if changed:
            record(Action.SUSPENDED, by=OPS, whom=user.email)
    return changed


def resume(email: str) -> bool:
    """Let somebody in again, with the password and second factor that they had. False when they were never suspended.
    Raises Refused."""
    with transaction.atomic():
        user = _find(email)
        changed = not user.is_active
        User.objects.filter(pk=user.pk).update(is_active=True)
        if changed:
            record(Action.REINSTATED, by=OPS, whom=user.email)
    return changed


def reset_second_factor(email: str) -> bool:
    """Take every second factor from somebody who lost theirs: the next sign-in sets up a new one before anything else.
    False when they had none. Raises Refused."""
    user = _find(email)
    if not second_factors.reset(user, by=OPS):
        return False
    _mailed("second_factor_reset", user.email)
    return True


def reset_password(email: str) -> str:
    """The address at which somebody chooses a new password, once, within an hour. It is secret. Raises Refused."""
    user = _find(email)
    if not user.is_active:
        raise Refused(f"{user.email} is suspended: `manage.py ops resume` first.")
    return reset_links.link(user)


def _find(email: str) -> User:
    user = User.objects.filter(email=clean_email(email)).first()
    if user is None:
        raise Refused(f"{clean_email(email)} is not one of ops: `manage.py ops list` shows them.")
    return user


def _mailed(name: str, email: str, **context: Any) -> bool:
    """Whether the mail went out. One that did not undoes nothing: what it says can be handed over another way."""
    subject = render_to_string(f"ops/email/{name}_subject.txt", context).strip()
    try:
        EmailMessage(subject, render_to_string(f"ops/email/{name}.txt", context), to=[email]).send()
    except (OSError, SMTPException):
        log.warning("ops_not_mailed", mail=name)
        return False
    return True
