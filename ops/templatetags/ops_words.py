"""Words of the console."""

from django import template

register = template.Library()


@register.filter
def cut_words(name: str) -> str:
    """`rate_limited` is `rate limited`."""
    return name.replace("_", " ")
