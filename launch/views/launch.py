"""The launch: the GET that Cliniko's button makes, `/patients?patient_id=<id>`."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from accounts.tickets import sign_in_redirect
from launch.explanations import NO_PATIENT_NAMED, explain
from launch.ids import is_cliniko_id
from launch.requests import empty_refusal, is_somebody_looking


@csrf_exempt  # nothing is done here, and whoever posts is told 405 rather than of a stale form
@login_not_required
@require_safe
def launch(request: HttpRequest) -> HttpResponse:
    """Lead to the named patient, by way of sign-in for visitors.

    Any website can make a browser ask this, so it reads no patient, asks Cliniko nothing and writes nothing.
    """
    if not is_somebody_looking(request):
        return empty_refusal()
    named = request.GET.getlist("patient_id")
    if len(named) != 1 or not is_cliniko_id(named[0]):
        return explain(request, NO_PATIENT_NAMED)
    path = reverse("patient", args=named)
    return redirect(path) if request.user.is_authenticated else sign_in_redirect(path)
