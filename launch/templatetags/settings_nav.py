"""The way from one page of the settings to the others."""

from typing import Any

from django import template
from django.template import Context

from launch.settings_menu import entries

register = template.Library()


@register.inclusion_tag("launch/_settings_nav.html", takes_context=True)
def settings_nav(context: Context) -> dict[str, Any]:
    """`{% settings_nav %}`, at the top of a page of the settings."""
    request = context["request"]
    here = request.resolver_match.url_name if request.resolver_match else ""
    return {"entries": list(entries(request.user)), "here": here}
