"""What every page of somebody signed in knows of their sign-in."""

from datetime import date
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from accounts import second_factors


def current_session(request: HttpRequest) -> dict[str, Any]:
    """`held_session`, and `second_factor_from`: the day from which the factor they lack is required, asked for once and
    only where a template tells it."""
    held = getattr(request, "held_session", None)
    day = held.policy.require_second_factor_from if held else None

    @cache
    def missing_from() -> date | None:
        return day if day is not None and second_factors.is_missing(request, on=day) else None

    return {
        "held_session": held,
        "second_factor_from": missing_from,
        "today": timezone.localdate(),
    }
