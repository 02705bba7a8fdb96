"""Addresses of pages, whole, for mails and commands."""

from typing import Any

from django.conf import settings
from django.urls import reverse

from accounts.models import in_public
from tenants.context import current_clinic
from tenants.hosts import base_url, clinic_url


def absolute_url(name: str, **parts: Any) -> str:
    """The address of the page of this name at the clinic we are inside of, or for ops on the base host."""
    if in_public():
        return base_url(reverse(name, urlconf=settings.PUBLIC_SCHEMA_URLCONF, kwargs=parts))
    return clinic_url(current_clinic().label, reverse(name, urlconf=settings.ROOT_URLCONF, kwargs=parts))
