"""Manage a clinic's staff for operators: invite, cancel an invitation, reset two-step verification."""

import structlog
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from accounts import emails, invitations, second_factors
from accounts.models import Invitation, User, clean_email
from accounts.roles import Role
from audit.log import OPS, Actor
from ops.errors import Refused
from tenants.context import clinic_context

log = structlog.get_logger(__name__)


def invite(label: str, *, email: str, role: str, by: Actor = OPS, dry_run: bool = False) -> tuple[str, bool]:
    """Invite staff and return the invitation's URL ("" for a dry run) and whether it was emailed.

    Raises NoSuchClinic and Refused.
    """
    check_email(email)
    with clinic_context(label):
        try:
            with transaction.atomic():
                invitation, invite_url = invitations.invite(email=email, role=Role(role), for_ops=by)
                transaction.set_rollback(dry_run)
        except invitations.InvitationRefused as refused:
            raise Refused(str(refused)) from None
        return ("", False) if dry_run else (invite_url, send_invitation(invitation, invite_url))


def cancel_invitation(label: str, *, email: str, by: Actor = OPS, dry_run: bool = False) -> bool:
    """Cancel a pending invitation. Return False if there is none.

    Raises NoSuchClinic, and Refused if the invitation was already accepted.
    """
    check_email(email)
    with clinic_context(label), transaction.atomic():
        if User.objects.filter(email=clean_email(email), is_active=True).exists():
            raise Refused(f"{email} has accepted and can sign in at {label}. An owner can suspend them under Staff.")
        cancelled = invitations.revoke_by_email(email, by=by)
        transaction.set_rollback(dry_run)
        return cancelled


def reset_second_factor(label: str, *, email: str, dry_run: bool = False) -> tuple[bool, bool]:
    """Remove a user's second factors and end their sessions. Return whether any existed and whether they were emailed.

    The caller has verified the user's identity. Raises NoSuchClinic and Refused.
    """
    with clinic_context(label):
        user = User.objects.filter(email=clean_email(email)).first()
        if user is None:
            raise Refused(f"No one at {label} has the email address {email!r}.")
        with transaction.atomic():
            if not second_factors.reset(user, by=OPS):
                return False, False
            transaction.set_rollback(dry_run)
        if dry_run:
            return True, False
        try:
            emails.send_second_factor_reset(user, by="Sidechart's support")
        except OSError:
            log.warning("reset_notice_failed")
            return True, False
        return True, True


def send_invitation(invitation: Invitation, invite_url: str) -> bool:
    """Email the invitation. Return False if that fails; the invitation stays, and the operator can pass the URL on."""
    try:
        emails.send_invitation(invitation, invite_url)
    except OSError:
        log.warning("invitation_email_failed")
        return False
    return True


def check_email(email: str) -> None:
    """Raise Refused unless this is an email address."""
    try:
        validate_email(email)
    except ValidationError:
        raise Refused(f"{email!r} isn't an email address.") from None
