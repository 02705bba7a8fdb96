"""Restrict the console to operators who are signed in on the base host with a second factor."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from accounts.models import User, in_public
from accounts.second_factors import has_second_factor

View = Callable[..., HttpResponse]


class OperatorRequest(HttpRequest):
    """A request that `console_view` let through."""

    user: User
    entered_console: bool


def console_view(view: View) -> View:
    """Allow operators with a second factor only.

    The middleware has redirected everyone else already; this check doesn't depend on the order of MIDDLEWARE.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user, session = request.user, getattr(request, "current_session", None)
        if not in_public() or session is None or not isinstance(user, User) or session.row.user_id != user.pk:
            raise PermissionDenied
        if not user.is_active or not has_second_factor(user):
            raise PermissionDenied
        request.entered_console = True  # type: ignore[attr-defined]  # read by ConsoleSite.has_permission
        return view(request, *args, **kwargs)

    return guarded
