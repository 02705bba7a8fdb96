"""What a restored backup must not bring back: sessions, pending invitations, and users suspended since."""

from dataclasses import dataclass

from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import invitations, second_factors
from accounts.models import CacheEntry, OpenSession, UsedTicket, User
from accounts.roles import Role


@dataclass(frozen=True)
class RestoredStaff:
    """The state of the clinic's users after a restore."""

    stay_suspended: int
    second_factors_lost: int
    has_owner: bool


def suspended_emails() -> list[str]:
    """Return the email addresses of the current clinic's suspended users."""
    return list(User.objects.filter(is_active=False).values_list("email", flat=True))


def reset_accounts(*, sealed_in: str, suspended_since: list[str]) -> RestoredStaff:
    """Delete the current clinic's sessions, tickets and rate limits, revoke pending invitations, suspend
    `suspended_since` again, and reseal second factors that were sealed in the schema `sealed_in`.

    Call it in a transaction. Reset links contain the schema's name, so old ones no longer work.
    """
    for model in (Session, OpenSession, UsedTicket, CacheEntry):
        model._default_manager.all().delete()
    invitations.pending().update(revoked_at=timezone.now())
    suspended_again = suspend_again(suspended_since)
    lost = second_factors.reseal(sealed_in=sealed_in)
    has_owner = User.objects.filter(role=Role.OWNER, is_active=True).exists()
    return RestoredStaff(suspended_again, lost, has_owner)


def suspend_again(emails: list[str]) -> int:
    """Suspend these users of the current clinic. Return how many were active."""
    return User.objects.filter(email__in=emails, is_active=True).update(is_active=False)
