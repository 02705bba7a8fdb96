"""The base host: what Sidechart is, and the way to one's clinic; and the page for a failure on any host."""

from csp.decorators import csp_update
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from tenants.hosts import canonical_host, clinic_url, label_of
from tenants.labels import LabelRefused, check_label

# Browsers apply form-action to where a form's answer redirects, too: to a clinic's own host.
_any_clinic = csp_update({"form-action": [clinic_url("*", "")]})


@login_not_required
@_any_clinic
@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    return render(request, "public/landing.html", {"base_domain": settings.BASE_DOMAIN})


@login_not_required
@_any_clinic
@require_safe
def find_clinic(request: HttpRequest) -> HttpResponse:
    """Send to the host of the clinic that was typed, whether or not there is one: this page tells nothing about any."""
    typed = request.GET.get("clinic", "")
    try:
        label = check_label(_label_in(typed))
    except LabelRefused:
        context = {"base_domain": settings.BASE_DOMAIN, "typed": typed, "wrong": bool(typed.strip())}
        return render(request, "public/landing.html", context, status=400)
    return redirect(clinic_url(label))


def server_error(request: HttpRequest) -> HttpResponse:
    """The page for a failure of ours. Django's own asks for the session, which a failure at the door leaves unmade."""
    return HttpResponseServerError(render_to_string("500.html"))


def _label_in(typed: str) -> str:
    """The label in what people type or paste: `Bondi`, `bondi.sidechart.example`, `https://bondi.sidechart.example/x`."""
    host = canonical_host(typed.strip().rpartition("://")[2].partition("/")[0])
    return label_of(host) or host.removesuffix(f".{settings.BASE_DOMAIN}")
