"""Read what a view of a patient needs besides the record, in one statement."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists

from accounts.models import User
from audit.log import Action
from audit.models import Event
from launch.models import ClinicSettings

ONE_VISIT = timedelta(minutes=30)
_MOST = 50  # audit entries read; with more views in one visit, the fiftieth counts as the previous one


@dataclass(frozen=True)
class PreviousView:
    """When this view began, when the user last viewed the patient before it, and the clinic's setting for the screen.

    Views within half an hour are one visit, so that reloading a page doesn't remove its change marks.
    """

    started_at: datetime
    previous_at: datetime | None
    shows_card_numbers: bool


def previous_view(user: User, patient_id: str, view_id: int) -> PreviousView:
    """Return the user's previous view of the patient, seen from the view whose audit entry is `view_id`."""
    views = Event.objects.filter(user_id=user.pk, action=Action.VIEWED, patient_id=patient_id)
    shows = Exists(ClinicSettings.objects.filter(shows_card_numbers=True))
    (started, shown), *before = views.filter(pk__lte=view_id).order_by("-pk").values_list("occurred_at", shows)[:_MOST]
    times = [at for at, _ in before]
    previous = next((at for at in times if started - at > ONE_VISIT), times[-1] if times else None)
    return PreviousView(started, previous, shown)
