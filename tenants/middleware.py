"""The entry point into a clinic for requests: from the host name to the clinic and its schema."""

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
from tenants.hosts import canonical_host, clinic_url, label_from_host, label_from_nested_host
from tenants.models import Clinic
from tenants.signals import Misdirection, misdirected


class ClinicMiddleware:
    """Serve a clinic's pages on its host, public pages on the base host and the same 404 on every other host.

    Sets `request.clinic`: the Clinic, or None on the base host.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        raw = request.META.get("HTTP_HOST", "")
        host = canonical_host(raw)
        request.META["HTTP_HOST"] = host + (f":{raw.rpartition(':')[2]}" if raw[-1:].isdigit() and ":" in raw else "")
        connection.set_schema_to_public()
        if host == settings.BASE_DOMAIN:
            request.clinic = None  # type: ignore[attr-defined] # our own attribute
            request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
            return self.get_response(request)
        match = _match_label(label_from_host(host))
        if match is None:
            nested = _match_label(label_from_nested_host(host))
            if nested is not None:
                _report_misdirected(request, "two_levels", nested.clinic)
            return clinic_not_found()
        if not match.is_primary and _is_navigation(request):
            _report_misdirected(request, "former_name", match.clinic)
            return HttpResponseRedirect(clinic_url(match.clinic.label, request.get_full_path()))
        request.clinic = match.clinic  # type: ignore[attr-defined] # our own attribute
        with enter_clinic(match.clinic):
            return self.get_response(request)


class HostMatch(NamedTuple):
    """The clinic that a label belongs to. `is_primary` is False for a former label."""

    clinic: Clinic
    is_primary: bool


_COLUMNS = [field.attname for field in Clinic._meta.concrete_fields if not isinstance(field, JSONField)]
_FIND = (
    f"SELECT {', '.join(f'clinic.{column}' for column in _COLUMNS)}, domain.is_primary"  # noqa: S608 - our columns
    " FROM public.tenants_domain AS domain JOIN public.tenants_clinic AS clinic ON clinic.id = domain.tenant_id"
    " WHERE domain.domain = %s"
)


def _match_label(label: str | None) -> HostMatch | None:
    """Return the working clinic with this label, or None.

    Not cached, so that a suspension takes effect on the next request. The search path, which is usually this clinic's
    already, isn't changed for the query.
    """
    if label is None:
        return None
    with connection.keep_search_path(), connection.cursor() as cursor:
        cursor.execute(_FIND, [label])
        row = cursor.fetchone()
    if row is None:
        return None
    clinic = Clinic.from_db(connection.alias, _COLUMNS, row[:-1])
    return HostMatch(clinic, row[-1]) if clinic.is_working else None


def _is_navigation(request: HttpRequest) -> bool:
    """Return False for requests of a page that was open during a rename: a redirect would lose a half-written note."""
    return request.method in ("GET", "HEAD") and not (
        request.headers.get("HX-Request") or request.path.startswith(settings.STATIC_URL)
    )


def _report_misdirected(request: HttpRequest, how: Misdirection, clinic: Clinic) -> None:
    with enter_clinic(clinic):
        misdirected.send_robust(sender=Clinic, request=request, how=how)


def clinic_not_found() -> HttpResponse:
    """Return the same page for unknown, misspelt and suspended clinics, so that it reveals nothing about any."""
    response = HttpResponse(render_to_string("tenants/clinic_not_found.html"), status=404)
    # This host serves no static files, so the style is inline and the policy allows it by its digest.
    digest = b64encode(sha256(render_to_string("tenants/clinic_not_found.css").encode()).digest()).decode()
    response["Content-Security-Policy"] = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "same-origin"
    return response
