"""Invitations: links, sent by email, that let people join a clinic's staff."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.links import absolute_url
from accounts.models import Invitation, User, clean_email
from accounts.roles import Role, grantable_roles
from audit.log import OPS, Action, Actor, record

LIFETIME = timedelta(days=7)
USED = "This invitation has been used. Sign in with the password that was chosen then."


class InvitationRefused(Exception):
    """The invitation can't be created or accepted. The message is a sentence for the user."""


class AlreadyStaff(InvitationRefused):
    """The email address already has an account at the clinic."""


class RoleRefused(InvitationRefused):
    """The user's role may not give out this role."""


class UnknownInvitation(InvitationRefused):
    """No invitation of this clinic has this token or id."""


class InvitationClosed(InvitationRefused):
    """The invitation was accepted or cancelled, or has expired."""


def invite(email: str, role: str, invited_by: User | None = None, *, for_ops: Actor = OPS) -> tuple[Invitation, str]:
    """Create an invitation to the current clinic. Return it and its secret URL, which is not stored.

    It replaces a pending invitation of the same email address. If operators invite, `invited_by` is None and `for_ops`
    is the one that the audit log names. Raises AlreadyStaff, RoleRefused, InvitationRefused, AuditUnavailable.
    """
    email = clean_email(email)
    roles = grantable_roles(invited_by) if invited_by else tuple(Role)
    if role not in roles:
        raise RoleRefused(f"Your role can't invite someone as {Role(role).label}.")
    existing = User.objects.filter(email=email).first()
    if existing:
        suggestion = "." if existing.is_active else ", which is suspended. Unsuspend it instead."
        raise AlreadyStaff(f"{email} already has an account at this clinic{suggestion}")
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    try:
        with transaction.atomic():
            _revoke(pending().filter(email=email), roles=roles, at=now)
            invitation = Invitation.objects.create(
                email=email,
                role=Role(role),
                token_digest=_digest(token),
                invited_by=invited_by,
                created_at=now,
                expires_at=now + LIFETIME,
            )
            record(Action.INVITED, by=invited_by or for_ops, person=email, role=role)
    except IntegrityError as concurrent:
        raise InvitationRefused(f"{email} was invited a moment ago.") from concurrent
    return invitation, absolute_url("invitation", token=token)


def find(token: str) -> Invitation:
    """Return the invitation that `token` can accept. Raises UnknownInvitation, InvitationClosed."""
    invitation = Invitation.objects.filter(token_digest=_digest(token)).first()
    if invitation is None:
        raise UnknownInvitation("This invitation link isn't known here.")
    if invitation.accepted_at:
        raise InvitationClosed(USED)
    if invitation.revoked_at or invitation.expires_at <= timezone.now():
        raise InvitationClosed("This invitation is no longer valid.")
    return invitation


def accept(token: str, name: str, password: str) -> User:
    """Create the invited person's account. Raises UnknownInvitation, InvitationClosed, AlreadyStaff, AuditUnavailable.

    Of two tabs that accept at once, one creates the account and the other gets InvitationClosed.
    """
    invitation = find(token)
    now = timezone.now()
    with transaction.atomic():
        if pending().filter(pk=invitation.pk, expires_at__gt=now).update(accepted_at=now) != 1:
            raise InvitationClosed(USED)
        if User.objects.filter(email=invitation.email).exists():
            raise AlreadyStaff(f"{invitation.email} already has an account at this clinic.")
        user = User.objects.create_user(invitation.email, password, name=name, role=invitation.role)
        record(Action.JOINED, by=user, role=user.role)
        return user


def pending() -> QuerySet[Invitation]:
    """Return invitations neither accepted nor revoked. Expired ones are included: they can be sent again."""
    return Invitation.objects.filter(accepted_at=None, revoked_at=None)


def reissue(invitation_id: int, *, by: User) -> tuple[Invitation, str]:
    """Replace a pending invitation with a new one and its URL. Raises UnknownInvitation and what `invite` raises."""
    invitation = pending().filter(pk=invitation_id).first()
    if invitation is None:
        raise UnknownInvitation("That invitation has already been used or cancelled.")
    return invite(invitation.email, invitation.role, by)


def revoke(invitation_id: int, *, by: User) -> bool:
    """Revoke a pending invitation. Return False if it isn't pending. Raises RoleRefused, AuditUnavailable."""
    return _revoke_and_record(pending().filter(pk=invitation_id), by=by, roles=grantable_roles(by))


def revoke_by_email(email: str, *, by: Actor) -> bool:
    """Revoke the pending invitation of this email address for an operator. Return False if there is none."""
    return _revoke_and_record(pending().filter(email=clean_email(email)), by=by, roles=tuple(Role))


def _revoke_and_record(invitations: QuerySet[Invitation], *, by: Actor, roles: Collection[str]) -> bool:
    with transaction.atomic():
        revoked = _revoke(invitations, roles=roles, at=timezone.now())
        for invitation in revoked:
            record(Action.INVITATION_REVOKED, by=by, person=invitation.email, role=invitation.role)
    return bool(revoked)


def _revoke(invitations: QuerySet[Invitation], *, roles: Collection[str], at: datetime) -> list[Invitation]:
    """Revoke and return these invitations. Raises RoleRefused if one has a role outside `roles`."""
    revoked = list(invitations.select_for_update())
    if any(invitation.role not in roles for invitation in revoked):
        raise RoleRefused("Your role can't change an owner's invitation.")
    Invitation.objects.filter(pk__in=[invitation.pk for invitation in revoked]).update(revoked_at=at)
    return revoked


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
