"""Words of the console."""

from django import template

register = template.Library()

# The clinic's states in the colours of unfold's labels.
STATE_COLOURS = {"setup": "warning", "active": "success", "closing": "warning", "suspended": "danger"}


@register.filter
def cut_words(name: str) -> str:
    """`rate_limited` is `rate limited`."""
    return name.replace("_", " ")


@register.filter
def state_colour(state: str) -> str:
    return STATE_COLOURS.get(state, "")
