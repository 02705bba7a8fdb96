"""The door into a clinic for a request: host name to clinic to schema."""

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string

from tenants.context import inside
from tenants.database import connection
from tenants.hosts import almost_label_of, canonical_host, clinic_url, label_of
from tenants.models import Clinic, Domain
from tenants.signals import Astray, came_astray


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
        domain = _domain_of(label_of(host))
        if domain is None:
            _tell_of(request, "two_levels", _domain_of(almost_label_of(host)))
            return nobody_here()
        clinic = domain.tenant
        if not domain.is_primary and _is_a_page(request):
            _tell_of(request, "former_name", domain)
            return HttpResponseRedirect(clinic_url(clinic.label, request.get_full_path()))
        request.clinic = clinic  # type: ignore[attr-defined]
        with inside(clinic):
            return self.get_response(request)


def _domain_of(label: str | None) -> Domain | None:
    """What leads from this label to a working clinic: its subdomain, or one that it had before."""
    if label is None:
        return None
    return Domain.objects.select_related("tenant").filter(domain=label, tenant__in=Clinic.objects.working()).first()


def _is_a_page(request: HttpRequest) -> bool:
    """Whether somebody goes to a page. What a page that was open during a rename sends and loads is answered where it
    is, so that no half-written note is lost."""
    return request.method in ("GET", "HEAD") and not (
        request.headers.get("HX-Request") or request.path.startswith(settings.STATIC_URL)
    )


def _tell_of(request: HttpRequest, how: Astray, domain: Domain | None) -> None:
    if domain is not None:
        with inside(domain.tenant):
            came_astray.send_robust(sender=Clinic, request=request, how=how)


def nobody_here() -> HttpResponse:
    """The same page for an unknown, a misspelt and a suspended clinic, so that it tells nothing about any."""
    response = HttpResponse(render_to_string("tenants/nobody_here.html"), status=404)
    # No file is served on such a host, so the page holds its style, and the policy names it by its digest.
    digest = b64encode(sha256(render_to_string("tenants/nobody_here.css").encode()).digest()).decode()
    response["Content-Security-Policy"] = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "same-origin"
    return response
