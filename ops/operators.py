"""Operators' accounts: they sign in on the base host and are managed on the server. Call from the public schema."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string

from accounts import invitations, reset_links, second_factors
from accounts.models import User, clean_email
from accounts.roles import Role
from audit.log import OPS, Action, OperatorActor, record
from ops.clinic_staff import check_email
from ops.errors import Refused
from ops.models import BreakGlassGrant

log = structlog.get_logger(__name__)
MAX_EMAIL_LENGTH = 240  # `ops (…)` around it has to fit the clinics' access logs


@dataclass(frozen=True)
class SentInvitation:
    """An invitation, and whether it was emailed. `invite_url` is secret."""

    email: str
    invite_url: str
    mailed: bool


@dataclass(frozen=True)
class OperatorAccount:
    """A row of `manage.py ops list`."""

    email: str
    name: str
    active: bool
    second_factor: bool
    last_login: datetime | None


def clinic_log_actor(user: User) -> OperatorActor:
    """Return the operator as a clinic's access log names them: without a pk, which would be a staff member's there."""
    return OperatorActor(email=f"ops ({user.email})")


def create(email: str) -> SentInvitation:
    """Invite an operator. This cancels an earlier invitation. Raises Refused."""
    email = clean_email(email)
    check_email(email)
    if len(email) > MAX_EMAIL_LENGTH:
        raise Refused(f"The email address is longer than {MAX_EMAIL_LENGTH} characters.")
    if User.objects.filter(email=email).exists():
        raise Refused(f"{email} is already an operator: see `manage.py ops list`.")
    try:
        _, url = invitations.invite(email, Role.READONLY)
    except invitations.InvitationRefused as refused:
        raise Refused(str(refused)) from None
    return SentInvitation(email, url, _send("invitation", email, url=url))


def list_accounts() -> list[OperatorAccount]:
    """Return every operator's account, by email address."""
    protected = second_factors.user_ids()
    return [
        OperatorAccount(user.email, user.name, user.is_active, user.pk in protected, user.last_login)
        for user in User.objects.order_by("email")
    ]


def suspend(email: str) -> bool:
    """Block sign-in, and end the operator's sessions and access to clinic records.

    Return False if already suspended. Raises Refused.
    """
    with transaction.atomic():
        user = _get(email)
        changed = user.is_active
        User.objects.filter(pk=user.pk).update(is_active=False)
        user.open_sessions.all().delete()
        BreakGlassGrant.objects.filter(user_id=user.pk).delete()
        if changed:
            record(Action.SUSPENDED, by=OPS, person=user.email)
    return changed


def resume(email: str) -> bool:
    """Allow sign-in again, with the same password and second factor. Return False if not suspended. Raises Refused."""
    with transaction.atomic():
        user = _get(email)
        changed = not user.is_active
        User.objects.filter(pk=user.pk).update(is_active=True)
        if changed:
            record(Action.REINSTATED, by=OPS, person=user.email)
    return changed


def reset_second_factor(email: str) -> bool:
    """Remove the operator's second factors; the next sign-in sets up new ones before anything else.

    Return False if there were none. Raises Refused.
    """
    user = _get(email)
    if not second_factors.reset(user, by=OPS):
        return False
    _send("second_factor_reset", user.email)
    return True


def reset_password(email: str) -> str:
    """Return a secret link to choose a new password, once, within an hour. Raises Refused."""
    user = _get(email)
    if not user.is_active:
        raise Refused(f"{user.email} is suspended: run `manage.py ops resume` first.")
    return reset_links.create(user)


def _get(email: str) -> User:
    user = User.objects.filter(email=clean_email(email)).first()
    if user is None:
        raise Refused(f"{clean_email(email)} isn't an operator: see `manage.py ops list`.")
    return user


def _send(template: str, email: str, **context: Any) -> bool:
    """Return whether the email was sent. A failure is logged and undoes nothing."""
    subject = render_to_string(f"ops/email/{template}_subject.txt", context).strip()
    try:
        EmailMessage(subject, render_to_string(f"ops/email/{template}.txt", context), to=[email]).send()
    except OSError:
        log.warning("operator_email_failed", template=template)
        return False
    return True
