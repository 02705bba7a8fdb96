"""The clinic's settings, for owners and admins."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.roles import Permission, permission_required
from launch.requests import StaffRequest
from sync import queries
from tenants.hosts import clinic_url


@permission_required(Permission.VIEW_SETTINGS)
@require_safe
def settings(request: StaffRequest) -> HttpResponse:
    """Show how the mirror stands, the address to enter in Cliniko, and the way to the staff page."""
    facts = queries.facts()
    context = {
        "mirror": queries.status(),
        "facts": facts,
        "launch_address": clinic_url(request.clinic.label, "/patients"),
    }
    with timezone.override(facts.time_zone):
        return render(request, "launch/settings.html", context)
