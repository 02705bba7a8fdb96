"""The access log: no patient's data is shown without a row that says who looked."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.db.models import Max, QuerySet
from django.http import HttpResponse

from accounts.models import User
from accounts.roles import Permission, may
from launch.explanations import NOT_RECORDED, explain
from launch.models import AccessEvent
from launch.requests import StaffRequest
from sync import queries

Action = AccessEvent.Action
View = Callable[..., HttpResponse]


class AccessNotRecorded(Exception):
    """The access log cannot be written, so nothing about a patient may be shown."""


def record_access(request: StaffRequest, action: AccessEvent.Action, patient_id: str = "") -> AccessEvent:
    """Write the row that has to be there before the page is. Raises AccessNotRecorded."""
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    try:
        return AccessEvent.objects.create(
            user=request.user,
            user_email=request.user.email,
            action=action,
            patient_id=patient_id,
            request_id=request_id,
        )
    except DatabaseError as failure:
        raise AccessNotRecorded("The access log cannot be written.") from failure


def patients_page(view: View) -> View:
    """A page that shows patients: for roles that may see them, and only with its row in the access log."""

    @wraps(view)
    def guarded(request: StaffRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            if not may(request.user, Permission.VIEW_PATIENTS):
                record_access(request, Action.DENIED, kwargs.get("patient_id", ""))
                raise PermissionDenied
            return view(request, *args, **kwargs)
        except AccessNotRecorded:
            structlog.get_logger(__name__).exception("access_not_recorded")
            return explain(request, NOT_RECORDED)

    return guarded


def is_viewing(user: User, patient_id: str, event_id: str) -> bool:
    """Whether `event_id` is the row of this user's view of this patient, so that a fragment belongs to that view."""
    if not event_id.isascii() or not event_id.isdecimal() or len(event_id) > 18:
        return False
    return _views(user).filter(pk=event_id, patient_id=patient_id).exists()


def recently_opened(user: User, count: int = 8) -> list[str]:
    """The ids of the patients that `user` opened last, latest first."""
    latest = _views(user).values("patient_id").annotate(at=Max("occurred_at")).order_by("-at")
    return [row["patient_id"] for row in latest[:count]]


def _views(user: User) -> QuerySet[AccessEvent]:
    """This user's views, none from before the clinic moved to its present Cliniko account: whoever had the id then was
    somebody else."""
    views = AccessEvent.objects.filter(user=user, action=Action.VIEWED)
    since = queries.account_since()
    return views.filter(occurred_at__gte=since) if since else views
