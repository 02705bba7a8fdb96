"""The sync page for owners and admins: status, controls and history."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import Permission, permission_required
from launch import messages as texts
from launch.http import StaffRequest, parse_number
from sync import controls
from sync.read import patients, runs, status

view_settings_required = permission_required(Permission.VIEW_SETTINGS)


@view_settings_required
@require_safe
def sync(request: StaffRequest) -> HttpResponse:
    """Show the mirror's status and the latest runs, page by page."""
    everything = request.GET.get("runs") == "all"
    past, more = runs.recent(before=parse_number(request.GET.get("before", "")), include_unchanged=everything)
    return _render(request, "launch/sync.html", runs=past, more=more, everything=everything)


@view_settings_required
@require_safe
def sync_status(request: StaffRequest) -> HttpResponse:
    """Return the page's status card, which polls this URL."""
    return _render(request, "launch/_sync_status.html")


@view_settings_required
@require_POST
def sync_now(request: StaffRequest) -> HttpResponse:
    return _request(request, controls.sync_now, texts.SYNC_REQUESTED)


@view_settings_required
@require_POST
def sync_compare(request: StaffRequest) -> HttpResponse:
    return _request(request, controls.compare, texts.COMPARISON_REQUESTED)


@view_settings_required
@require_POST
def sync_pause(request: StaffRequest) -> HttpResponse:
    if controls.pause(by=request.user):
        messages.success(request, texts.SYNC_PAUSED)
    else:
        messages.info(request, texts.SYNC_NOT_PAUSABLE)
    return redirect("sync")


@view_settings_required
@require_POST
def sync_resume(request: StaffRequest) -> HttpResponse:
    if controls.resume(by=request.user):
        messages.success(request, texts.SYNC_RESUMED)
    else:
        messages.info(request, texts.SYNC_NOT_PAUSED)
    return redirect("sync")


def _request(request: StaffRequest, control: Callable[[], None], confirmation: str) -> HttpResponse:
    try:
        control()
        messages.success(request, confirmation)
    except controls.SyncUnavailable as reason:
        messages.warning(request, str(reason))
    return redirect("sync")


def _render(request: StaffRequest, template: str, **context: Any) -> HttpResponse:
    facts, resources = patients.clinic_facts(), status.by_resource()
    context |= sync_context(request) | {"resources": resources, "refused": any(each.refused for each in resources)}
    with timezone.override(facts.time_zone):
        return render(request, template, context | {"facts": facts})


def sync_context(request: StaffRequest) -> dict[str, Any]:
    """Return the context of launch/_progress.html and launch/_sync_status.html: state, last and next run, import."""
    mirror, importing = status.current(), status.import_progress()
    is_running, next_run = runs.is_running(), request.clinic.sync_due_at
    if mirror.until:
        next_run = max(mirror.until, next_run)
    is_blocked = mirror.needs_action and mirror.state != status.State.KEY_FORBIDDEN
    return {
        "mirror": mirror,
        "importing": importing,
        "latest": runs.latest(),
        "is_running": is_running,
        "paused": mirror.state == status.State.PAUSED,
        "next_run": None if is_blocked else next_run,
        "soon": next_run <= timezone.now(),
        "moving": not is_blocked and (is_running or importing is not None or next_run <= timezone.now()),
    }
