"""Filters of tenants.dates. A builtin library: templates need no `{% load %}`."""

from django import template

from tenants import dates

register = template.Library()

for name in ("as_time", "as_date", "as_datetime", "as_time_or_date", "ago", "birth_date"):
    register.filter(name, getattr(dates, name))
