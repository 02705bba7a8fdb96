"""The button in Cliniko: how to set it up, and whether it works."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.defaults import page_not_found

from accounts.roles import Permission, permission_required
from launch import button_clicks
from launch.button_clicks import ButtonStatus, Kind
from launch.http import StaffRequest
from launch.messages import BUTTON_MESSAGES
from launch.misdirected import is_click, wrong_url
from sync.read import patients
from tenants.dates import at


@permission_required(Permission.VIEW_SETTINGS)
@require_safe
def button(request: StaffRequest) -> HttpResponse:
    """Show what to enter in Cliniko, and wait for a click."""
    entries = {"address": button_clicks.app_url(), "app_name": settings.CLINIKO_APP_NAME}
    return render(request, "launch/button.html", entries | _context(button_clicks.status()))


@permission_required(Permission.VIEW_SETTINGS)
@require_safe
def button_status(request: StaffRequest) -> HttpResponse:
    """Return the button's status for the page that polls it; 204 if unchanged, so that nothing is read out twice."""
    status = button_clicks.status()
    if request.GET.get("seen") == status.stamp:
        return HttpResponse(status=204)
    return render(request, "launch/_button_status.html", _context(status))


def _context(status: ButtonStatus) -> dict[str, Any]:
    facts, parts, misses = patients.clinic_facts(), button_clicks.url_parts(), []
    for miss in status.misses:
        kind, clicked_at = Kind(miss.kind), at(miss.clicked_at, facts.time_zone)
        values = parts | {"who": miss.user_name, "at": clicked_at, "patient": facts.patient_word}
        misses.append({"message": BUTTON_MESSAGES[kind].format(**values), "is_mistake": kind.is_mistake})
    clicked_at = at(status.click.clicked_at, facts.time_zone) if status.click else ""
    return {"status": status, "clicked_at": clicked_at, "misses": misses, "facts": facts}


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return a clinic's 404 page, or for a click from Cliniko the page that says what to change."""
    return wrong_url(request) if is_click(request) else page_not_found(request, exception)
