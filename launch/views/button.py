"""The button in Cliniko: how to set it up, and whether it works."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.defaults import page_not_found

from accounts.roles import Permission, permission_required
from launch import button_clicks
from launch.button_messages import tell
from launch.http import StaffRequest
from launch.misdirected import is_click, wrong_address
from sync.read import patients
from tenants.dates import at


@permission_required(Permission.VIEW_SETTINGS)
@require_safe
def button(request: StaffRequest) -> HttpResponse:
    """Show what to enter in Cliniko, and listen for the click."""
    own = {"address": button_clicks.address(), "app_name": settings.CLINIKO_APP_NAME}
    return render(request, "launch/button.html", own | _heard(button_clicks.heard()))


@permission_required(Permission.VIEW_SETTINGS)
@require_safe
def heard(request: StaffRequest) -> HttpResponse:
    """What the page asks again and again: nothing when it has told all there is, so that nothing is read out twice."""
    now = button_clicks.heard()
    if request.GET.get("told") == now.stamp:
        return HttpResponse(status=204)
    return render(request, "launch/_button_heard.html", _heard(now))


def _heard(now: button_clicks.Heard) -> dict[str, Any]:
    facts = patients.clinic_facts()
    clicked_at = at(now.click.at, facts.time_zone) if now.click else ""
    return {"heard": now, "clicked_at": clicked_at, "misses": tell(now, facts), "facts": facts}


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for an address of a clinic that is no page: a click from Cliniko that missed gets help."""
    return wrong_address(request) if is_click(request) else page_not_found(request, exception)
