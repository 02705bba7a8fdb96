"""The access log: no patient's data is shown without a row that says who looked."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from accounts.models import User
from accounts.roles import Permission, may
from audit.log import Action, AuditUnavailable, record
from audit.models import Event
from launch.error_pages import NOT_RECORDED, explain
from launch.http import StaffRequest, number
from sync.read import patients

View = Callable[..., HttpResponseBase]


def record_access(request: StaffRequest, action: Action, patient_id: str = "", **details: str | int) -> Event:
    """Write the line that has to be there before the page is. Raises AuditUnavailable."""
    return record(action, by=request.user, patient_id=patient_id, **details)


def recorded(permission: Permission) -> Callable[[View], View]:
    """A page for roles that hold `permission`, and only with its row in the access log; a refusal has one too."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: StaffRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not may(request.user, permission):
                record_access(request, Action.DENIED, kwargs.get("patient_id", ""))
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate


class AuditFailureMiddleware:
    """Where the log cannot be written nothing is shown and nothing is changed: the view's own transaction is undone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, AuditUnavailable):
            return None
        structlog.get_logger(__name__).error("access_not_recorded", exc_info=exception)
        return explain(request, NOT_RECORDED)


patients_page = recorded(Permission.VIEW_PATIENTS)
log_page = recorded(Permission.VIEW_LOG)


def is_viewing(user: User, patient_id: str, event_id: str) -> bool:
    """Whether `event_id` is the row of this user's view of this patient, so that a fragment belongs to that view."""
    line = number(event_id)
    return line is not None and _views(user).filter(pk=line, patient_id=patient_id).exists()


def recently_opened(user: User, count: int = 8) -> list[str]:
    """The ids of the patients that `user` opened last, latest first."""
    latest = _views(user).values("patient_id").annotate(last=Max("pk")).order_by("-last")
    return [row["patient_id"] for row in latest[:count]]


def _views(user: User) -> QuerySet[Event]:
    """This user's views, none from before the clinic moved to its present Cliniko account: whoever had the id then was
    somebody else."""
    views = Event.objects.filter(user_id=user.pk, action=Action.VIEWED)
    since = patients.account_since()
    return views.filter(occurred_at__gte=since) if since else views
