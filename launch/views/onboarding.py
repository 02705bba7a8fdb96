"""Onboarding: from the invitation to the first patient opened from Cliniko."""

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
from launch.views.sync import sync_context
from sync.read import patients

view_settings_required = permission_required(Permission.VIEW_SETTINGS)


@view_settings_required
@require_safe
def steps(request: StaffRequest) -> HttpResponse:
    """Show the steps, which are done, and what to do next."""
    facts = patients.clinic_facts()
    context = sync_context(request) | {
        "onboarding": onboarding.onboarding(request.user),
        "address": button_clicks.app_url(),
        "app_name": settings.CLINIKO_APP_NAME,
        "ticket": tickets.issue(reverse("onboarding")),  # leads back here from the set-up of two-step verification
        "facts": facts,
    }
    with timezone.override(facts.time_zone):
        return render(request, "launch/onboarding.html", context)


@view_settings_required
@require_safe
def import_progress(request: StaffRequest) -> HttpResponse:
    """Show the import's progress. When it is done, reload the page so that the step is ticked."""
    context = sync_context(request)
    response = render(request, "launch/_onboarding_import.html", context)
    if request.htmx and not context["importing"]:
        response["HX-Refresh"] = "true"
    return response


@view_settings_required
@require_POST
def postpone(request: StaffRequest) -> HttpResponse:
    try:
        onboarding.postpone(request.POST.get("step", ""), by=request.user)
    except KeyError:
        raise BadRequest from None
    return redirect("onboarding")


@view_settings_required
@require_POST
def finish(request: StaffRequest) -> HttpResponse:
    onboarding.finish(by=request.user)
    return redirect("home")


@view_settings_required
@require_POST
def resume(request: StaffRequest) -> HttpResponse:
    onboarding.resume(by=request.user)
    return redirect("onboarding")
