"""The first steps: from the invitation to the first patient opened from Cliniko."""

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts import tickets
from accounts.roles import Permission, permission_required
from launch import button_clicks, onboarding
from launch.http import StaffRequest
from launch.views.sync import how_it_stands
from sync.read import patients

settings_page = permission_required(Permission.VIEW_SETTINGS)


@settings_page
@require_safe
def welcome(request: StaffRequest) -> HttpResponse:
    """Show the steps, which of them are done, and what to do next."""
    facts = patients.clinic_facts()
    context = how_it_stands(request) | {
        "first_steps": onboarding.read(request.user),
        "address": button_clicks.address(),
        "app_name": settings.CLINIKO_APP_NAME,
        "ticket": tickets.issue(reverse("welcome")),  # back here from setting up a second step
        "facts": facts,
    }
    with timezone.override(facts.time_zone):
        return render(request, "launch/welcome.html", context)


@settings_page
@require_safe
def welcome_import(request: StaffRequest) -> HttpResponse:
    """How far the first copy has come. Once it is done the page loads again, with the step ticked."""
    stands = how_it_stands(request)
    response = render(request, "launch/_welcome_import.html", stands)
    if request.htmx and not stands["importing"]:
        response["HX-Refresh"] = "true"
    return response


@settings_page
@require_POST
def welcome_later(request: StaffRequest) -> HttpResponse:
    """Put one step off."""
    try:
        onboarding.put_off(request.POST.get("step", ""), by=request.user)
    except KeyError:
        raise BadRequest from None
    return redirect("welcome")


@settings_page
@require_POST
def welcome_end(request: StaffRequest) -> HttpResponse:
    onboarding.end(by=request.user)
    return redirect("home")


@settings_page
@require_POST
def welcome_again(request: StaffRequest) -> HttpResponse:
    onboarding.take_up_again(by=request.user)
    return redirect("welcome")
