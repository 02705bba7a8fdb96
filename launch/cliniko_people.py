"""Compare Cliniko's users with the clinic's staff: who could be invited, and who has left but can still sign in."""

from dataclasses import dataclass
from typing import Any

from accounts import invitations, staff
from accounts.models import User
from launch.messages import USERS_NOT_READ, USERS_UNREACHABLE
from sync.cliniko_users import ClinikoUser, cliniko_users
from sync.refresh import Outcome


@dataclass(frozen=True)
class People:
    """`newcomers` are active in Cliniko, and neither staff nor invited. `leavers` are staff, but inactive in Cliniko,
    each with whether the current user may suspend them. `problem` says why Cliniko's users couldn't be read, or ""."""

    newcomers: list[ClinikoUser]
    leavers: list[dict[str, Any]]
    problem: str = ""


def compare(*, by: User) -> People:
    """Ask Cliniko for its users and compare them with staff by email address."""
    answer = cliniko_users()
    if answer.outcome is not Outcome.FRESH:
        return People([], [], USERS_NOT_READ.get(answer.outcome, USERS_UNREACHABLE))
    active = {user.email: user for user in answer.users if user.is_active and user.email}
    inactive = {user.email for user in answer.users if not user.is_active} - set(active)
    invited = invitations.pending().values_list("email", flat=True)
    known = {*User.objects.values_list("email", flat=True), *invited}
    newcomers = [user for email, user in active.items() if email not in known]
    leavers = User.objects.filter(is_active=True, email__in=inactive).order_by("name", "email")
    return People(
        newcomers=sorted(newcomers, key=lambda user: (user.name.casefold(), user.email)),
        leavers=[{"person": person, "may_suspend": staff.may_suspend(person, by=by)} for person in leavers],
    )
