"""The door into a clinic for a request: host name to clinic to schema."""

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from django.conf import settings
from django.db.models import JSONField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string

from tenants.context import enter_clinic
from tenants.database import connection
from tenants.hosts import almost_label_of, canonical_host, clinic_url, label_of
from tenants.models import Clinic
from tenants.signals import Misdirection, misdirected


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
        address = _address_of(label_of(host))
        if address is None:
            _report_misdirected(request, "two_levels", _address_of(almost_label_of(host)))
            return clinic_not_found()
        clinic = address.tenant
        if not address.is_primary and _is_page_view(request):
            _report_misdirected(request, "former_name", address)
            return HttpResponseRedirect(clinic_url(clinic.label, request.get_full_path()))
        request.clinic = clinic  # type: ignore[attr-defined]
        with enter_clinic(clinic):
            return self.get_response(request)


class Address(NamedTuple):
    """Where a subdomain leads: to a clinic, as its own or as one that it had before."""

    tenant: Clinic
    is_primary: bool


_COLUMNS = [field.attname for field in Clinic._meta.concrete_fields if not isinstance(field, JSONField)]
_FIND = (
    f"SELECT {', '.join(f'clinic.{column}' for column in _COLUMNS)}, address.is_primary"  # noqa: S608 - our own words
    " FROM public.tenants_domain AS address JOIN public.tenants_clinic AS clinic ON clinic.id = address.tenant_id"
    " WHERE address.domain = %s"
)


def _address_of(label: str | None) -> Address | None:
    """The working clinic that this label leads to. Asked at each request, so that a suspension counts with the next
    click; the search path stays as it is meanwhile, which mostly is this very clinic's."""
    if label is None:
        return None
    with connection.path_as_it_is(), connection.cursor() as cursor:
        cursor.execute(_FIND, [label])
        found = cursor.fetchone()
    if found is None:
        return None
    clinic = Clinic.from_db(connection.alias, _COLUMNS, found[:-1])
    return Address(clinic, found[-1]) if clinic.is_working else None


def _is_page_view(request: HttpRequest) -> bool:
    """Whether somebody goes to a page. What a page that was open during a rename sends and loads is answered where it
    is, so that no half-written note is lost."""
    return request.method in ("GET", "HEAD") and not (
        request.headers.get("HX-Request") or request.path.startswith(settings.STATIC_URL)
    )


def _report_misdirected(request: HttpRequest, how: Misdirection, address: Address | None) -> None:
    if address is not None:
        with enter_clinic(address.tenant):
            misdirected.send_robust(sender=Clinic, request=request, how=how)


def clinic_not_found() -> HttpResponse:
    """The same page for an unknown, a misspelt and a suspended clinic, so that it tells nothing about any."""
    response = HttpResponse(render_to_string("tenants/nobody_here.html"), status=404)
    # No file is served on such a host, so the page holds its style, and the policy names it by its digest.
    digest = b64encode(sha256(render_to_string("tenants/nobody_here.css").encode()).digest()).decode()
    response["Content-Security-Policy"] = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "same-origin"
    return response
