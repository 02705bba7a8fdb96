"""Words of the console."""

from django import template
from django.utils.formats import date_format

from tenants.models import Clinic

register = template.Library()

# The clinic's states in the colours of unfold's labels.
STATE_COLOURS = {"setup": "warning", "active": "success", "closing": "warning", "suspended": "danger"}


@register.filter
def cut_words(name: str) -> str:
    """`rate_limited` is `rate limited`."""
    return name.replace("_", " ")


@register.filter
def state_words(clinic: Clinic) -> str:
    """`Active`, `Closing on 3 Nov 2026`, and from that day on `Closed since 3 Nov 2026`."""
    if clinic.closing_on is None:
        return clinic.get_state_display()
    how = "Closed since" if clinic.is_closed else "Closing on"
    return f"{how} {date_format(clinic.closing_on, 'j M Y')}"


@register.filter
def state_colour(state: str) -> str:
    return STATE_COLOURS.get(state, "")
