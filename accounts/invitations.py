"""How a person becomes staff of a clinic: by a link that was sent to their e-mail address."""

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from accounts.models import Invitation, User, clean_email
from accounts.roles import INVITABLE, Role
from tenants.context import current_clinic
from tenants.hosts import clinic_url

LIFETIME = timedelta(days=7)


class InvitationRefused(Exception):
    """This invitation cannot be made or accepted; the message is a sentence for whoever asked."""


class AlreadyStaff(InvitationRefused):
    """This e-mail address has an account at the clinic already."""


class RoleRefused(InvitationRefused):
    """Nobody hands out more than they hold."""


class UnknownInvitation(InvitationRefused):
    """No invitation of this clinic has this token."""


class InvitationOver(InvitationRefused):
    """The invitation was used, taken back or is older than a week."""


def invite(email: str, role: str, invited_by: User | None = None) -> tuple[Invitation, str]:
    """Make an invitation to the clinic we are inside of, and its link; a pending one for the same address is replaced.

    `invited_by` is None for ops. Raises AlreadyStaff, RoleRefused. The link is known here and now only.
    """
    email = clean_email(email)
    if invited_by is not None and role not in INVITABLE.get(invited_by.role, ()):
        raise RoleRefused(f"Your role cannot invite somebody as {Role(role).label}.")
    if User.objects.filter(email=email).exists():
        raise AlreadyStaff(f"{email} already has an account at this clinic.")
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    try:
        with transaction.atomic():
            pending().filter(email=email).update(revoked_at=now)
            invitation = Invitation.objects.create(
                email=email,
                role=Role(role),
                token_digest=_digest(token),
                invited_by=invited_by,
                created_at=now,
                expires_at=now + LIFETIME,
            )
    except IntegrityError as twice:
        raise InvitationRefused(f"{email} was invited a moment ago.") from twice
    return invitation, _link(token)


def send(invitation: Invitation, url: str) -> None:
    """Mail the link. Raises what the mail backend raises: OSError and smtplib.SMTPException among them."""
    context = {"clinic": current_clinic(), "invitation": invitation, "url": url}
    message = EmailMultiAlternatives(
        subject=render_to_string("accounts/email/invitation_subject.txt", context).strip(),
        body=render_to_string("accounts/email/invitation.txt", context),
        to=[invitation.email],
    )
    message.attach_alternative(render_to_string("accounts/email/invitation.html", context), "text/html")
    message.send()


def find(token: str) -> Invitation:
    """The invitation that can be accepted with `token`. Raises UnknownInvitation, InvitationOver."""
    invitation = Invitation.objects.filter(token_digest=_digest(token)).first()
    if invitation is None:
        raise UnknownInvitation("This invitation link is not known here.")
    if invitation.accepted_at:
        raise InvitationOver("This invitation has been used. Sign in with the password that was chosen then.")
    if invitation.revoked_at or invitation.expires_at <= timezone.now():
        raise InvitationOver("This invitation is no longer valid.")
    return invitation


def accept(token: str, name: str, password: str) -> User:
    """Make the invited person's account. Raises UnknownInvitation, InvitationOver, AlreadyStaff.

    Of two tabs that accept at the same moment one makes the account, and the other meets InvitationOver.
    """
    invitation = find(token)
    now = timezone.now()
    with transaction.atomic():
        taken = pending().filter(pk=invitation.pk, expires_at__gt=now).update(accepted_at=now)
        if taken != 1:
            raise InvitationOver("This invitation has been used. Sign in with the password that was chosen then.")
        if User.objects.filter(email=invitation.email).exists():
            raise AlreadyStaff(f"{invitation.email} already has an account at this clinic.")
        return User.objects.create_user(invitation.email, password, name=name, role=invitation.role)


def pending() -> QuerySet[Invitation]:
    """Invitations neither accepted nor taken back; the expired ones too, which can be sent again."""
    return Invitation.objects.filter(accepted_at=None, revoked_at=None)


def revoke(invitation_id: int) -> bool:
    """Take a pending invitation back. False when it is not pending (any more)."""
    return pending().filter(pk=invitation_id).update(revoked_at=timezone.now()) == 1


def _link(token: str) -> str:
    path = reverse("invitation", urlconf=settings.ROOT_URLCONF, kwargs={"token": token})
    return clinic_url(current_clinic().label, path)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
