"""Classify requests: page loads, prefetches, clicks on another site, URLs that name a patient."""

import re

from django.http import HttpRequest, HttpResponse
from django_htmx.middleware import HtmxDetails

from accounts.models import User
from tenants.models import Clinic


class StaffRequest(HttpRequest):
    """A request from a signed-in user of a clinic, as the middleware leaves it."""

    user: User
    clinic: Clinic
    htmx: HtmxDetails


def is_page_load(request: HttpRequest) -> bool:
    """Return True if the browser loads a page into a window. Prefetch, prerender, image, frame and fetch are False.

    A browser that sends none of these headers counts as loading a page.
    """
    headers = request.headers
    ahead = any("prefetch" in headers.get(name, "").lower() for name in ("Sec-Purpose", "Purpose", "X-Moz"))
    return not ahead and headers.get("Sec-Fetch-Dest", "document") == "document"


def is_cross_site(request: HttpRequest) -> bool:
    """Return False if the browser says that the user typed the URL or came from our own page, else True."""
    return request.headers.get("Sec-Fetch-Site", "cross-site") == "cross-site"


def has_patient_id(request: HttpRequest) -> bool:
    """Return True for a GET with `patient_id=` after any ? or &: Cliniko appends it to the URL that was entered."""
    query = request.META.get("QUERY_STRING", "")
    return request.method in ("GET", "HEAD") and re.search(r"(?:^|[?&])patient_id=", query) is not None


def empty_403() -> HttpResponse:
    """Return an empty 403. A browser would cache a 204 as the page it prefetched, and then show nothing."""
    return HttpResponse(status=403)


def parse_number(text: str) -> int | None:
    """Return the row or version number in user input, or None unless it is 1 to 18 ASCII digits."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
