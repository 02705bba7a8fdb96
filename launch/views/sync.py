"""The sync as owners and admins see it: how it stands, what it did, and telling it what to do."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import Permission, permission_required
from launch.http import StaffRequest
from sync import controls
from sync.read import patients, runs, status

settings_page = permission_required(Permission.VIEW_SETTINGS)


@settings_page
@require_safe
def sync(request: StaffRequest) -> HttpResponse:
    """Show how the mirror stands and what its latest runs did, page by page."""
    everything = request.GET.get("runs") == "all"
    past, more = runs.recent(before=_number(request.GET.get("before", "")), all_of_them=everything)
    return _show(request, "launch/sync.html", runs=past, more=more, everything=everything)


@settings_page
@require_safe
def sync_standing(request: StaffRequest) -> HttpResponse:
    """The part of the page that says how the mirror stands, which asks for itself again and again."""
    return _show(request, "launch/_mirror.html")


@settings_page
@require_POST
def sync_now(request: StaffRequest) -> HttpResponse:
    return _tell(request, controls.sync_now, "Cliniko is asked for news within a few seconds.")


@settings_page
@require_POST
def sync_compare(request: StaffRequest) -> HttpResponse:
    words = "Every record is read again and compared. That takes about as long as the first copy did."
    return _tell(request, controls.compare, words)


@settings_page
@require_POST
def sync_pause(request: StaffRequest) -> HttpResponse:
    if controls.pause(by=request.user):
        messages.success(request, "Copying is paused, until somebody resumes it.")
    else:
        messages.info(request, "There is nothing to pause.")
    return redirect("sync")


@settings_page
@require_POST
def sync_resume(request: StaffRequest) -> HttpResponse:
    if controls.resume(by=request.user):
        messages.success(request, "Copying goes on.")
    else:
        messages.info(request, "Copying was not paused.")
    return redirect("sync")


def _tell(request: StaffRequest, order: Callable[[], None], words: str) -> HttpResponse:
    try:
        order()
        messages.success(request, words)
    except controls.SyncUnavailable as reason:
        messages.warning(request, str(reason))
    return redirect("sync")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else None


def _show(request: StaffRequest, template: str, **context: Any) -> HttpResponse:
    facts, lists = patients.clinic_facts(), status.by_resource()
    context |= how_it_stands(request) | {"resources": lists, "refused": any(each.refused for each in lists)}
    with timezone.override(facts.time_zone):
        return render(request, template, context | {"facts": facts})


def how_it_stands(request: StaffRequest) -> dict[str, Any]:
    """What launch/_progress.html and launch/_mirror.html are told: state, last and next run, the first import."""
    now, importing = status.current(), status.import_progress()
    under_way, next_run = runs.is_running(), request.clinic.sync_due_at
    if now.until:
        next_run = max(now.until, next_run)
    stands_still = now.needs_action and now.state != status.State.KEY_FORBIDDEN
    return {
        "mirror": now,
        "importing": importing,
        "latest": runs.latest(),
        "under_way": under_way,
        "paused": now.state == status.State.PAUSED,
        "next_run": None if stands_still else next_run,
        "soon": next_run <= timezone.now(),
        "moving": not stands_still and (under_way or importing is not None or next_run <= timezone.now()),
    }
