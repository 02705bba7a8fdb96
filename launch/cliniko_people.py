"""Cliniko's users beside the clinic's staff: who could be invited, and who has left Cliniko and can still sign in."""

from dataclasses import dataclass
from typing import Any

from accounts import invitations, staff
from accounts.models import User
from sync.cliniko_users import ClinikoUser, cliniko_users
from sync.refresh import Outcome

NOT_READ: dict[Outcome, str] = {
    Outcome.RATE_LIMITED: "Cliniko limits how many questions a clinic may ask a minute. Try again in a minute or two.",
    Outcome.KEY_INVALID: "Cliniko does not accept this clinic's key any more, so its users cannot be read.",
    Outcome.KEY_FORBIDDEN: "The Cliniko user who made this clinic's key may not see Cliniko's users; the key of an"
    " administrator may.",
    Outcome.NO_KEY: "This clinic is not connected to Cliniko yet, so its users cannot be read.",
}
NO_ANSWER = "Cliniko does not answer right now. Try again in a few minutes."


@dataclass(frozen=True)
class People:
    """`newcomers` are active in Cliniko and neither staff nor invited; `leavers` are staff, inactive in Cliniko, each
    with whether `by` may suspend them. `trouble` is a sentence when Cliniko's users could not be read."""

    newcomers: list[ClinikoUser]
    leavers: list[dict[str, Any]]
    trouble: str = ""


def compare(*, by: User) -> People:
    """Ask Cliniko, and compare by e-mail address."""
    asked = cliniko_users()
    if asked.outcome is not Outcome.FRESH:
        return People([], [], NOT_READ.get(asked.outcome, NO_ANSWER))
    active = {user.email: user for user in asked.users if user.is_active and user.email}
    gone = {user.email for user in asked.users if not user.is_active} - set(active)
    known = set(User.objects.values_list("email", flat=True)) | set(
        invitations.pending().values_list("email", flat=True)
    )
    newcomers = [user for email, user in active.items() if email not in known]
    leavers = User.objects.filter(is_active=True, email__in=gone).order_by("name", "email")
    return People(
        newcomers=sorted(newcomers, key=lambda user: (user.name.casefold(), user.email)),
        leavers=[{"person": person, "may_suspend": staff.may_suspend(person, by=by)} for person in leavers],
    )
