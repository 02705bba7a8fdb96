from django import template

from tenants.dates import as_date
from tenants.models import Clinic

register = template.Library()

STATE_COLOURS = {
    "setup": "warning",
    "active": "success",
    "closing": "warning",
    "suspended": "danger",
}  # unfold's labels


@register.filter
def spaced(name: str) -> str:
    """Return `rate limited` for `rate_limited`."""
    return name.replace("_", " ")


@register.filter
def state_label(clinic: Clinic) -> str:
    """Return `Active`, `Closing on Tue 3 Nov`, and from that day `Closed since Tue 3 Nov`."""
    if clinic.closing_on is None:
        return str(clinic.get_state_display())
    return f"{'Closed since' if clinic.is_closed else 'Closing on'} {as_date(clinic.closing_on)}"


@register.filter
def state_colour(state: str) -> str:
    return STATE_COLOURS.get(state, "")
