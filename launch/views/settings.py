"""The clinic's settings, for owners and admins."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import Permission, permission_required
from audit.log import Action, record
from launch import button
from launch.models import ClinicSettings
from launch.requests import StaffRequest
from sync import queries, standing


@permission_required(Permission.VIEW_SETTINGS)
@require_safe
def settings(request: StaffRequest) -> HttpResponse:
    """Show how the mirror stands, the address to enter in Cliniko, and the way to the staff page."""
    shows = ClinicSettings.objects.filter(shows_card_numbers=True).exists()
    of_button = {"launch_address": button.address(), "button_works": button.confirmed()}
    return _show(request, "launch/settings.html", **of_button, shows_card_numbers=shows)


@permission_required(Permission.VIEW_SETTINGS)
@require_safe
def mirror(request: StaffRequest) -> HttpResponse:
    """The part of the page that says how the mirror stands, which asks for itself again and again."""
    return _show(request, "launch/_mirror.html")


@permission_required(Permission.VIEW_SETTINGS)
@require_POST
def card_numbers(request: StaffRequest) -> HttpResponse:
    """Let staff uncover Medicare and DVA numbers, or no longer."""
    shown = request.POST.get("shown") == "yes"
    with transaction.atomic():
        ClinicSettings.objects.update_or_create(id=1, defaults={"shows_card_numbers": shown})
        record(Action.SETTINGS_CHANGED, by=request.user, card_numbers="shown" if shown else "not shown")
    messages.success(request, f"Medicare and DVA numbers {'can be uncovered now' if shown else 'are no longer shown'}.")
    return redirect("settings")


def _show(request: StaffRequest, template: str, **context: Any) -> HttpResponse:
    facts, now, resources = queries.facts(), standing.standing(), standing.by_resource()
    moving = now.importing or any(not each.imported and not each.refused for each in resources)
    refused = any(each.refused for each in resources)
    shown = {"mirror": now, "resources": resources, "moving": moving, "refused": refused, "facts": facts}
    with timezone.override(facts.time_zone):
        return render(request, template, shown | context)
