"""Template context about the current sign-in."""

from datetime import date
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from accounts import second_factors


def current_session(request: HttpRequest) -> dict[str, Any]:
    """Add `current_session` and `second_factor_from`: the date from which the user needs the second factor they lack.

    That date is a callable, so only templates that use it cost a query.
    """
    session = getattr(request, "current_session", None)
    required_from = session.policy.require_second_factor_from if session else None

    @cache
    def missing_from() -> date | None:
        is_missing = required_from is not None and second_factors.is_missing(request, on=required_from)
        return required_from if is_missing else None

    return {"current_session": session, "second_factor_from": missing_from, "today": timezone.localdate()}
