"""Who gets to the console: ops who are signed in on the base host, with a second factor."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from accounts.models import User, in_public
from accounts.second_factors import has_second_factor

View = Callable[..., HttpResponse]


class OpsRequest(HttpRequest):
    """A request of somebody of ops, as `console_page` lets it through."""

    user: User
    entered_console: bool


def console_page(view: View) -> View:
    """A page of the console. The middleware has sent visitors to sign in, and ops without a second factor to its
    set-up; here is asked once more, so that no page hangs on the order of a list in the settings."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        held = getattr(request, "held_session", None)
        if not in_public() or held is None or not isinstance(request.user, User) or held.row.user_id != request.user.pk:
            raise PermissionDenied
        if not request.user.is_active or not has_second_factor(request.user):
            raise PermissionDenied
        request.entered_console = True  # type: ignore[attr-defined]
        return view(request, *args, **kwargs)

    return guarded
