"""What kind of request is this: a person opening a page, or a browser fetching ahead or on another page's behalf."""

import re

from django.http import HttpRequest, HttpResponse
from django_htmx.middleware import HtmxDetails

from accounts.models import User
from tenants.models import Clinic


class StaffRequest(HttpRequest):
    """A request of somebody signed in at a clinic, as the middleware leaves it."""

    user: User
    clinic: Clinic
    htmx: HtmxDetails


def is_somebody_looking(request: HttpRequest) -> bool:
    """Whether this loads a page into a window. Not so: prefetch, prerender, image, frame, script, fetch.

    Browsers that send none of these headers are taken at their word.
    """
    headers = request.headers
    ahead = any("prefetch" in headers.get(name, "").lower() for name in ("Sec-Purpose", "Purpose", "X-Moz"))
    return not ahead and headers.get("Sec-Fetch-Dest", "document") == "document"


def comes_from_elsewhere(request: HttpRequest) -> bool:
    """Whether a link on another website led here, as far as the browser says: no typed address, no page of ours."""
    return request.headers.get("Sec-Fetch-Site", "cross-site") == "cross-site"


def names_a_patient(request: HttpRequest) -> bool:
    """Whether this asks for a page with a `patient_id` behind any ? or &, as Cliniko puts it behind whatever address
    was entered there."""
    behind = request.META.get("QUERY_STRING", "")
    return request.method in ("GET", "HEAD") and re.search(r"(?:^|[?&])patient_id=", behind) is not None


def empty_refusal() -> HttpResponse:
    """An empty refusal. Not a 204: a browser would keep that as the page it fetched ahead, and then show nothing."""
    return HttpResponse(status=403)


def number(text: str) -> int | None:
    """The number of a row or version that a form or address names, or None: anybody can write anything there."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
