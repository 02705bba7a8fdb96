"""What a view of a patient needs to know besides the patient, in one statement."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists

from accounts.models import User
from audit.log import Action
from audit.models import Event
from launch.models import ClinicSettings

ONE_VISIT = timedelta(minutes=30)
_MOST = 50  # rows read: more looks than this at one patient in half an hour are counted from the fiftieth


@dataclass(frozen=True)
class PreviousView:
    """A person's look at a patient: when it began, when the same person had last looked before, and the clinic's
    setting for it. Looks within half an hour are one visit, so that a page loaded again keeps its marks."""

    began: datetime
    earlier: datetime | None
    shows_card_numbers: bool


def previous_view(user: User, patient_id: str, view_id: int) -> PreviousView:
    """The look whose row in the access log is `view_id`."""
    views = Event.objects.filter(user_id=user.pk, action=Action.VIEWED, patient_id=patient_id)
    shows = Exists(ClinicSettings.objects.filter(shows_card_numbers=True))
    (began, shown), *before = views.filter(pk__lte=view_id).order_by("-pk").values_list("occurred_at", shows)[:_MOST]
    times = [at for at, _ in before]
    return PreviousView(
        began, next((at for at in times if began - at > ONE_VISIT), times[-1] if times else None), shown
    )
