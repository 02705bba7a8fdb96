"""The launch: the GET that Cliniko's button makes, `/patients?patient_id=<id>`."""

from dataclasses import replace

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from accounts.tickets import sign_in_redirect
from launch.button_clicks import Kind, note
from launch.converters import is_cliniko_id
from launch.error_pages import ANOTHER_ACCOUNT, NO_PATIENT_NAMED, explain
from launch.http import comes_from_elsewhere, empty_refusal, is_somebody_looking
from launch.misdirected import astray_address, is_marked_astray, is_of_another_account


@csrf_exempt  # nothing is done here, and whoever posts is told 405 rather than of a stale form
@login_not_required
@require_safe
def launch(request: HttpRequest) -> HttpResponse:
    """Lead to the named patient, by way of sign-in for visitors.

    Any website can make a browser ask this, so it reads no patient, asks Cliniko nothing, and writes no more than that
    somebody clicked.
    """
    if not is_somebody_looking(request):
        return empty_refusal()
    named = request.GET.getlist("patient_id")
    if len(named) != 1 or not is_cliniko_id(named[0]):
        return _nobody_named(request, named)
    path = reverse("patient", args=named)
    is_astray = is_of_another_account(request)
    if not request.user.is_authenticated:
        note(Kind.SIGNED_OUT, request)
        return sign_in_redirect(astray_address(request) if is_astray else path)
    if is_astray:
        return _astray(request, path)
    note(Kind.CLICK if comes_from_elsewhere(request) else Kind.TYPED, request)
    return redirect(path)


def _astray(request: HttpRequest, path: str) -> HttpResponse:
    """Told at an address that still says so when the session has ended on it. Of a link with the mark that stands on
    another website nothing is noted: nobody clicked in Cliniko."""
    if not is_marked_astray(request):
        note(Kind.OTHER_ACCOUNT, request)
        return redirect(astray_address(request))
    if not comes_from_elsewhere(request):  # but from our sign-in
        note(Kind.OTHER_ACCOUNT, request)
    return explain(request, replace(ANOTHER_ACCOUNT, onward=path))


def _nobody_named(request: HttpRequest, named: list[str]) -> HttpResponse:
    if named:
        note(Kind.BAD_ID, request)
    elif comes_from_elsewhere(request):  # not whoever types or keeps the bare address
        note(Kind.NO_ID, request)
    return explain(request, NO_PATIENT_NAMED)
