"""What a view of a patient needs to know besides the patient, in one statement."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists

from accounts.models import User
from audit.log import Action
from audit.models import Event
from launch.models import ClinicSettings


@dataclass(frozen=True)
class Look:
    """A person's look at a patient: when it began, when the same person had last looked before, and the clinic's
    setting for it."""

    began: datetime
    earlier: datetime | None
    shows_card_numbers: bool


def look(user: User, patient_id: str, view_id: int) -> Look:
    """The look whose row in the access log is `view_id`."""
    views = Event.objects.filter(user_id=user.pk, action=Action.VIEWED, patient_id=patient_id)
    shows = Exists(ClinicSettings.objects.filter(shows_card_numbers=True))
    latest = list(views.filter(pk__lte=view_id).order_by("-pk").values_list("occurred_at", shows)[:2])
    began, shown = latest[0]
    return Look(began, latest[1][0] if len(latest) > 1 else None, shown)
