"""The clinic's settings, for owners and admins."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import Permission, permission_required
from audit.log import Action, record
from launch import onboarding
from launch.http import StaffRequest
from launch.messages import CARD_NUMBERS_HIDDEN, CARD_NUMBERS_SHOWN
from launch.models import ClinicSettings
from launch.settings_menu import entries
from sync import excluded_fields
from sync.read import patients


@permission_required(Permission.VIEW_SETTINGS)
@require_safe
def settings(request: StaffRequest) -> HttpResponse:
    """Show all settings pages, each with a summary."""
    facts = patients.clinic_facts()
    context = {
        "entries": list(entries(request.user)),
        "onboarding": onboarding.onboarding(request.user),
        "shows_card_numbers": ClinicSettings.objects.filter(shows_card_numbers=True).exists(),
        "stores_card_numbers": not excluded_fields.is_excluded("card_numbers"),
        "facts": facts,
    }
    with timezone.override(facts.time_zone):
        return render(request, "launch/settings.html", context)


@permission_required(Permission.VIEW_SETTINGS)
@require_POST
def card_numbers(request: StaffRequest) -> HttpResponse:
    """Let staff reveal Medicare and DVA numbers, or stop showing them."""
    shown = request.POST.get("shown") == "yes"
    with transaction.atomic():
        ClinicSettings.objects.get_or_create(id=1)
        if ClinicSettings.objects.exclude(shows_card_numbers=shown).update(shows_card_numbers=shown):
            record(Action.SETTINGS_CHANGED, by=request.user, card_numbers="shown" if shown else "not shown")
    messages.success(request, CARD_NUMBERS_SHOWN if shown else CARD_NUMBERS_HIDDEN)
    return redirect("settings")
