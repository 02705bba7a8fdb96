"""How a person becomes staff of a clinic: by a link that was sent to their e-mail address."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.core.mail import EmailMultiAlternatives
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.links import absolute_url
from accounts.models import Invitation, User, clean_email
from accounts.roles import Role, grantable_roles
from audit.log import OPS, Action, Actor, record
from tenants.context import current_clinic

LIFETIME = timedelta(days=7)


class InvitationRefused(Exception):
    """This invitation cannot be made or accepted; the message is a sentence for whoever asked."""


class AlreadyStaff(InvitationRefused):
    """This e-mail address has an account at the clinic already."""


class RoleRefused(InvitationRefused):
    """Nobody hands out more than they hold."""


class UnknownInvitation(InvitationRefused):
    """No invitation of this clinic has this token."""


class InvitationClosed(InvitationRefused):
    """The invitation was used, taken back or is older than a week."""


def invite(email: str, role: str, invited_by: User | None = None, *, for_ops: Actor = OPS) -> tuple[Invitation, str]:
    """Make an invitation to the clinic we are inside of, and its link; a pending one for the same address is replaced.

    `invited_by` is None for ops; `for_ops` is then who of them the log names. Raises AlreadyStaff, RoleRefused. The
    link is known here and now only.
    """
    email = clean_email(email)
    if invited_by is not None and role not in grantable_roles(invited_by):
        raise RoleRefused(f"Your role cannot invite somebody as {Role(role).label}.")
    _require_newcomer(email)
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    try:
        with transaction.atomic():
            _revoke(pending().filter(email=email), by=invited_by, at=now)
            invitation = Invitation.objects.create(
                email=email,
                role=Role(role),
                token_digest=_digest(token),
                invited_by=invited_by,
                created_at=now,
                expires_at=now + LIFETIME,
            )
            record(Action.INVITED, by=invited_by or for_ops, whom=email, role=role)
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
    """The invitation that can be accepted with `token`. Raises UnknownInvitation, InvitationClosed."""
    invitation = Invitation.objects.filter(token_digest=_digest(token)).first()
    if invitation is None:
        raise UnknownInvitation("This invitation link is not known here.")
    if invitation.accepted_at:
        raise InvitationClosed("This invitation has been used. Sign in with the password that was chosen then.")
    if invitation.revoked_at or invitation.expires_at <= timezone.now():
        raise InvitationClosed("This invitation is no longer valid.")
    return invitation


def accept(token: str, name: str, password: str) -> User:
    """Make the invited person's account. Raises UnknownInvitation, InvitationClosed, AlreadyStaff.

    Of two tabs that accept at the same moment one makes the account, and the other meets InvitationClosed.
    """
    invitation = find(token)
    now = timezone.now()
    with transaction.atomic():
        taken = pending().filter(pk=invitation.pk, expires_at__gt=now).update(accepted_at=now)
        if taken != 1:
            raise InvitationClosed("This invitation has been used. Sign in with the password that was chosen then.")
        if User.objects.filter(email=invitation.email).exists():
            raise AlreadyStaff(f"{invitation.email} already has an account at this clinic.")
        user = User.objects.create_user(invitation.email, password, name=name, role=invitation.role)
        record(Action.JOINED, by=user, role=user.role)
        return user


def pending() -> QuerySet[Invitation]:
    """Invitations neither accepted nor taken back; the expired ones too, which can be sent again."""
    return Invitation.objects.filter(accepted_at=None, revoked_at=None)


def reissue(invitation_id: int, *, by: User) -> tuple[Invitation, str]:
    """A new invitation with a new link in place of a pending one. Raises UnknownInvitation, RoleRefused."""
    held = pending().filter(pk=invitation_id).first()
    if held is None:
        raise UnknownInvitation("That invitation was used or taken back before.")
    return invite(held.email, held.role, by)


def revoke(invitation_id: int, *, by: User) -> bool:
    """Take a pending invitation back. False when it is not pending (any more). Raises RoleRefused."""
    with transaction.atomic():
        taken = _revoke(pending().filter(pk=invitation_id), by=by, at=timezone.now())
        for held in taken:
            record(Action.INVITATION_REVOKED, by=by, whom=held.email, role=held.role)
    return bool(taken)


def revoke_by_email(email: str, *, by: Actor) -> bool:
    """As `revoke`, by ops, who know an address and no number."""
    with transaction.atomic():
        taken = _revoke(pending().filter(email=clean_email(email)), by=None, at=timezone.now())
        for held in taken:
            record(Action.INVITATION_REVOKED, by=by, whom=held.email, role=held.role)
    return bool(taken)


def _revoke(which: QuerySet[Invitation], *, by: User | None, at: datetime) -> list[Invitation]:
    """Those that were taken back. Only an owner decides about an owner's. Inside a transaction."""
    taken = list(which.select_for_update())
    if by is not None and any(held.role not in grantable_roles(by) for held in taken):
        raise RoleRefused("Your role cannot change the invitation of an owner.")
    Invitation.objects.filter(pk__in=[held.pk for held in taken]).update(revoked_at=at)
    return taken


def _require_newcomer(email: str) -> None:
    person = User.objects.filter(email=email).first()
    if person and not person.is_active:
        raise AlreadyStaff(f"{email} already has an account at this clinic, which is suspended: let them in again.")
    if person:
        raise AlreadyStaff(f"{email} already has an account at this clinic.")


def _link(token: str) -> str:
    return absolute_url("invitation", token=token)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
