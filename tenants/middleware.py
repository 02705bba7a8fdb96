"""The door into a clinic for a request: host name to clinic to schema."""

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from tenants.context import inside
from tenants.database import connection
from tenants.hosts import almost_label_of, canonical_host, label_of
from tenants.models import Clinic
from tenants.signals import came_astray


class ClinicMiddleware:
    """Serve a clinic's pages on its own host, public pages on the base host, one neutral 404 on every other.

    `request.clinic` is the Clinic, or None on the base host.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        raw = request.META.get("HTTP_HOST", "")
        host = canonical_host(raw)
        request.META["HTTP_HOST"] = host + (f":{raw.rpartition(':')[2]}" if raw[-1:].isdigit() and ":" in raw else "")
        connection.set_schema_to_public()
        if host == settings.BASE_DOMAIN:
            request.clinic = None  # type: ignore[attr-defined]
            request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
            return self.get_response(request)
        clinic = _clinic_at(host)
        if clinic is None:
            _tell_of_a_near_miss(host, request)
            return nobody_here()
        request.clinic = clinic  # type: ignore[attr-defined]
        with inside(clinic):
            return self.get_response(request)


def _clinic_at(host: str) -> Clinic | None:
    label = label_of(host)
    if label is None:
        return None
    return Clinic.objects.working().filter(domains__domain=label, domains__is_primary=True).first()


def _tell_of_a_near_miss(host: str, request: HttpRequest) -> None:
    label = almost_label_of(host)
    clinic = Clinic.objects.working().filter(label=label).first() if label else None
    if clinic is not None:
        with inside(clinic):
            came_astray.send_robust(sender=Clinic, request=request)


def nobody_here() -> HttpResponse:
    """The same page for an unknown, a misspelt and a suspended clinic, so that it tells nothing about any."""
    response = HttpResponse(render_to_string("tenants/nobody_here.html"), status=404)
    # No file is served on such a host, so the page holds its style, and the policy names it by its digest.
    digest = b64encode(sha256(render_to_string("tenants/nobody_here.css").encode()).digest()).decode()
    response["Content-Security-Policy"] = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "same-origin"
    return response
