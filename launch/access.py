"""Views of patient data: no page without a permission and an audit entry."""

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
from launch.error_pages import render_error
from launch.http import StaffRequest, parse_number
from launch.messages import NOT_AUDITED
from sync.read import patients

View = Callable[..., HttpResponseBase]


def record_access(request: StaffRequest, action: Action, patient_id: str = "", **details: str | int) -> Event:
    """Write an audit entry for the user. Raises AuditUnavailable, so call it before rendering the page."""
    return record(action, by=request.user, patient_id=patient_id, **details)


def audited_permission(permission: Permission) -> Callable[[View], View]:
    """Decorate a view for roles with `permission`; a refusal writes an audit entry and raises PermissionDenied."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: StaffRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not may(request.user, permission):
                record_access(request, Action.DENIED, kwargs.get("patient_id", ""))
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate


view_patients_required = audited_permission(Permission.VIEW_PATIENTS)
view_log_required = audited_permission(Permission.VIEW_LOG)


class AuditFailureMiddleware:
    """Return 503 if the audit log can't be written. The exception rolls back the view's transaction."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, AuditUnavailable):
            return None
        structlog.get_logger(__name__).error("audit_unavailable", exc_info=exception)
        return render_error(request, NOT_AUDITED)


def is_own_view(user: User, patient_id: str, event_id: str) -> bool:
    """Return True if `event_id` is the audit entry of this user's view of this patient."""
    number = parse_number(event_id)
    return number is not None and _views(user).filter(pk=number, patient_id=patient_id).exists()


def recently_opened(user: User, count: int = 8) -> list[str]:
    """Return the Cliniko IDs of the patients that the user opened most recently, latest first."""
    latest = _views(user).values("patient_id").annotate(last=Max("pk")).order_by("-last")
    return [row["patient_id"] for row in latest[:count]]


def _views(user: User) -> QuerySet[Event]:
    """Return the user's views since the clinic connected its current Cliniko account: earlier IDs are other people."""
    views = Event.objects.filter(user_id=user.pk, action=Action.VIEWED)
    since = patients.account_since()
    return views.filter(occurred_at__gte=since) if since else views
