"""What of a clinic's people must not come back with a backup: who was signed in, who was invited, who is suspended."""

from dataclasses import dataclass

from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import invitations, second_factors
from accounts.models import CacheEntry, OpenSession, UsedTicket, User
from accounts.roles import Role


@dataclass(frozen=True)
class RestoredStaff:
    """How the clinic's people stand after a restore."""

    stay_suspended: int
    second_factors_lost: int
    has_owner: bool


def suspended_emails() -> list[str]:
    """The e-mail addresses of those who may not sign in at the clinic we are inside of."""
    return list(User.objects.filter(is_active=False).values_list("email", flat=True))


def reset_accounts(*, sealed_in: str, suspended_since: list[str]) -> RestoredStaff:
    """End every session, ticket, count of tries and pending invitation of the clinic we are inside of, and seal second
    factors, which were sealed in the schema `sealed_in`, for this one. Inside a transaction.

    Links to a new password name the schema, and so are over by themselves.
    """
    for model in (Session, OpenSession, UsedTicket, CacheEntry):
        model._default_manager.all().delete()
    invitations.pending().update(revoked_at=timezone.now())
    suspended_again = suspend_again(suspended_since)
    lost = second_factors.reseal(sealed_in=sealed_in)
    owner = User.objects.filter(role=Role.OWNER, is_active=True).exists()
    return RestoredStaff(suspended_again, lost, owner)


def suspend_again(emails: list[str]) -> int:
    """Suspend these people of the clinic we are inside of; how many of them were not."""
    return User.objects.filter(email__in=emails, is_active=True).update(is_active=False)
