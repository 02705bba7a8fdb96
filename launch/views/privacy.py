"""Privacy: what of Cliniko's records the clinic stores, for how long, and where to see who looked."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import Permission, may, permission_required
from launch.http import StaffRequest
from launch.privacy import PeriodsForm, picture
from sync import excluded_fields, retention
from sync.field_groups import BY_NAME
from sync.read import patients


@permission_required(Permission.VIEW_SETTINGS)
@require_safe
def privacy(request: StaffRequest) -> HttpResponse:
    return _show(request, PeriodsForm(instance=retention.policy()))


@require_POST
@permission_required(Permission.VIEW_SETTINGS)
def fields(request: StaffRequest, name: str) -> HttpResponse:
    """Store a group of fields no longer, which takes a tick, or again."""
    group = BY_NAME.get(name)
    if group is None:
        raise Http404
    if not may(request.user, Permission.MANAGE_PRIVACY):
        raise PermissionDenied
    if request.POST.get("store") == "again":
        if excluded_fields.include(group, by=request.user):
            messages.success(request, f"{group.label}: stored again, and being read from Cliniko.")
    elif request.POST.get("confirmed") != "yes":
        return _show(request, PeriodsForm(instance=retention.policy()), unticked=name, status=422)
    elif excluded_fields.exclude(group, by=request.user):
        messages.success(request, f"{group.label}: no longer stored; what was here is removed.")
    return redirect("privacy")


@require_POST
@permission_required(Permission.MANAGE_PRIVACY)
def periods(request: StaffRequest) -> HttpResponse:
    """Keep histories and what was deleted in Cliniko for so many days."""
    form = PeriodsForm(request.POST, instance=retention.policy())
    if not form.is_valid():
        return _show(request, form, status=422)
    if retention.set_policy(form.instance, by=request.user):
        messages.success(request, "Saved. The coming night goes by it.")
    return redirect("privacy")


def _show(request: StaffRequest, form: PeriodsForm, *, unticked: str = "", status: int = 200) -> HttpResponse:
    facts = patients.clinic_facts()
    manages = may(request.user, Permission.MANAGE_PRIVACY)
    shown = {"form": form, "facts": facts, "manages": manages} | picture(unticked=unticked)
    with timezone.override(facts.time_zone):
        return render(request, "launch/privacy.html", shown, status=status)
