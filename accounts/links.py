"""Absolute URLs of our pages, for emails and commands."""

from typing import Any

from django.conf import settings
from django.urls import reverse

from accounts.models import in_public
from tenants.context import current_clinic
from tenants.hosts import base_url, clinic_url


def absolute_url(name: str, **kwargs: Any) -> str:
    """Return the absolute URL of this URL name at the current clinic, or in public on the base host."""
    if in_public():
        return base_url(reverse(name, urlconf=settings.PUBLIC_SCHEMA_URLCONF, kwargs=kwargs))
    return clinic_url(current_clinic().label, reverse(name, urlconf=settings.ROOT_URLCONF, kwargs=kwargs))
