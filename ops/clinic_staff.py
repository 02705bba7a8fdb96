"""What ops do about a clinic's people: invite them, take an invitation back, reset a lost second step."""

from smtplib import SMTPException

import structlog
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from accounts import invitations, notices, second_factors
from accounts.models import Invitation, User, clean_email
from accounts.roles import Role
from audit.log import OPS, Actor
from ops.errors import Refused
from tenants.context import clinic_context

log = structlog.get_logger(__name__)


def invite(label: str, *, email: str, role: str, by: Actor = OPS, dry_run: bool = False) -> tuple[str, bool]:
    """Invite staff: the invitation's address, which a dry run has none of, and whether it was mailed. Raises
    NoSuchClinic and Refused."""
    check_address(email)
    with clinic_context(label):
        try:
            with transaction.atomic():
                invitation, invite_url = invitations.invite(email=email, role=Role(role), for_ops=by)
                transaction.set_rollback(dry_run)
        except invitations.InvitationRefused as refused:
            raise Refused(str(refused)) from None
        return ("", False) if dry_run else (invite_url, mail(invitation, invite_url))


def take_back(label: str, *, email: str, by: Actor = OPS, dry_run: bool = False) -> bool:
    """End a pending invitation: its link works no more. False when there is none. Raises NoSuchClinic, and Refused when
    it was accepted before."""
    check_address(email)
    with clinic_context(label), transaction.atomic():
        if User.objects.filter(email=clean_email(email), is_active=True).exists():
            raise Refused(f"{email} has accepted it, and signs in at {label}: an owner can suspend them under Staff.")
        taken = invitations.cancel_by_email(email, by=by)
        transaction.set_rollback(dry_run)
        return taken


def reset_second_factor(label: str, *, email: str, dry_run: bool = False) -> tuple[bool, bool]:
    """Take every second factor from somebody who can use none, and end their sessions: whether there was one, and
    whether they were told by mail.

    Whoever runs this has made sure by other means that it is them who asks. Raises NoSuchClinic and Refused.
    """
    with clinic_context(label):
        person = User.objects.filter(email=clean_email(email)).first()
        if person is None:
            raise Refused(f"Nobody at {label} has the e-mail address {email!r}.")
        with transaction.atomic():
            if not second_factors.reset(person, by=OPS):
                return False, False
            transaction.set_rollback(dry_run)
        if dry_run:
            return True, False
        try:
            notices.send_reset(person, by="Sidechart's support")
        except (OSError, SMTPException):
            log.warning("reset_not_mailed")
            return True, False
        return True, True


def mail(invitation: Invitation, invite_url: str) -> bool:
    """Send the invitation. A mail server that fails does not undo it: ops can hand the address over another way."""
    try:
        invitations.send(invitation, invite_url)
    except (OSError, SMTPException):
        log.warning("invitation_not_mailed")
        return False
    return True


def check_address(email: str) -> None:
    """Raises Refused for what is no e-mail address."""
    try:
        validate_email(email)
    except ValidationError:
        raise Refused(f"{email!r} is not an e-mail address.") from None
