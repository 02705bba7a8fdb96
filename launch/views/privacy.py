"""Privacy: which of Cliniko's fields the clinic stores, for how long, and who has access."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import Permission, may, permission_required
from launch import messages as texts
from launch.http import StaffRequest
from launch.privacy import PeriodsForm, page_context
from sync import excluded_fields, retention
from sync.field_groups import BY_NAME
from sync.read import patients


@permission_required(Permission.VIEW_SETTINGS)
@require_safe
def privacy(request: StaffRequest) -> HttpResponse:
    return _render(request, PeriodsForm(instance=retention.policy()))


@require_POST
@permission_required(Permission.VIEW_SETTINGS)
def fields(request: StaffRequest, name: str) -> HttpResponse:
    """Stop storing a group of fields, which needs a tick, or store it again."""
    group = BY_NAME.get(name)
    if group is None:
        raise Http404
    if not may(request.user, Permission.MANAGE_PRIVACY):
        raise PermissionDenied
    if request.POST.get("store") == "again":
        if excluded_fields.include(group, by=request.user):
            messages.success(request, texts.GROUP_INCLUDED.format(group=group.label))
    elif request.POST.get("confirmed") != "yes":
        return _render(request, PeriodsForm(instance=retention.policy()), unticked=name, status=422)
    elif excluded_fields.exclude(group, by=request.user):
        messages.success(request, texts.GROUP_EXCLUDED.format(group=group.label))
    return redirect("privacy")


@require_POST
@permission_required(Permission.MANAGE_PRIVACY)
def periods(request: StaffRequest) -> HttpResponse:
    """Set for how many days changes, and records deleted in Cliniko, are kept."""
    form = PeriodsForm(request.POST, instance=retention.policy())
    if not form.is_valid():
        return _render(request, form, status=422)
    if retention.set_policy(form.instance, by=request.user):
        messages.success(request, texts.RETENTION_SAVED)
    return redirect("privacy")


def _render(request: StaffRequest, form: PeriodsForm, *, unticked: str = "", status: int = 200) -> HttpResponse:
    facts = patients.clinic_facts()
    manages = may(request.user, Permission.MANAGE_PRIVACY)
    context = {"form": form, "facts": facts, "manages": manages} | page_context(unticked=unticked)
    with timezone.override(facts.time_zone):
        return render(request, "launch/privacy.html", context, status=status)
