"""The landing page and the clinic finder on the base host, and the 500 page of every host."""

from csp.decorators import csp_update
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from tenants.hosts import canonical_host, clinic_url, label_from_host
from tenants.labels import LabelRefused, check_label

# Browsers apply form-action to redirects after a form, too: here to a clinic's host.
_allow_redirects_to_clinics = csp_update({"form-action": [clinic_url("*", "")]})


@login_not_required
@_allow_redirects_to_clinics
@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    return render(request, "public/landing.html", {"base_domain": settings.BASE_DOMAIN})


@login_not_required
@_allow_redirects_to_clinics
@require_safe
def find_clinic(request: HttpRequest) -> HttpResponse:
    """Redirect to the clinic's host whether or not it exists, so that this page reveals nothing about clinics."""
    typed = request.GET.get("clinic", "")
    try:
        label = check_label(_label_from_input(typed))
    except LabelRefused:
        context = {"base_domain": settings.BASE_DOMAIN, "typed": typed, "wrong": bool(typed.strip())}
        return render(request, "public/landing.html", context, status=400)
    return redirect(clinic_url(label))


def server_error(request: HttpRequest) -> HttpResponse:
    """Return the 500 page. Django's own view needs the session, which doesn't exist if ClinicMiddleware fails."""
    return HttpResponseServerError(render_to_string("500.html"))


def _label_from_input(typed: str) -> str:
    """Return the label in `Bondi`, `bondi.sidechart.example` or `https://bondi.sidechart.example/x`."""
    host = canonical_host(typed.strip().rpartition("://")[2].partition("/")[0])
    return label_from_host(host) or host.removesuffix(f".{settings.BASE_DOMAIN}")
