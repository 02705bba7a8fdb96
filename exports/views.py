"""The page on which owners ask for an export of everything and fetch it."""

from typing import cast

import structlog
from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError

from accounts.models import User
from accounts.reauthentication import reauthentication_required
from accounts.roles import Permission, permission_required
from exports import requests, storage, tasks
from sync.read.patients import clinic_facts
from tenants.context import current_clinic

log = structlog.get_logger(__name__)


@require_safe
@permission_required(Permission.EXPORT_CLINIC)
def page(request: HttpRequest) -> HttpResponse:
    return _show(request, "exports/export.html")


@require_safe
@permission_required(Permission.EXPORT_CLINIC)
def progress(request: HttpRequest) -> HttpResponse:
    """The part of the page that says how the export stands, which asks for itself while one is being made."""
    return _show(request, "exports/_export.html")


@require_POST
@permission_required(Permission.EXPORT_CLINIC)
@reauthentication_required
def ask(request: HttpRequest) -> HttpResponse:
    try:
        export = requests.request_export(by=cast(User, request.user))
        tasks.enqueue(current_clinic().schema_name, export.pk)
    except requests.AlreadyUnderWay:
        messages.info(request, "An export is being made already.")
    except OperationalError as silent:  # the row is there: exports.tend wakes a worker for it
        log.warning("export_waits", exc_info=silent)
    except OSError as failed:
        log.error("export_not_begun", exc_info=failed)
        messages.error(request, "There is no place for an export at the moment. Please tell those who run Sidechart.")
    return redirect("export")


@require_POST
@permission_required(Permission.EXPORT_CLINIC)
@reauthentication_required
def download(request: HttpRequest, export_id: int) -> HttpResponseBase:
    """Send the file, once."""
    try:
        file = requests.download(export_id, by=cast(User, request.user))
    except requests.NotThere:
        messages.warning(request, "That export is no longer there. Ask for a new one.")
        return redirect("export")
    day = timezone.localdate()
    name = f"sidechart-{current_clinic().label}-{day:%Y-%m-%d}.zip"
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")


def _show(request: HttpRequest, template: str) -> HttpResponse:
    export = requests.latest()
    path = export and storage.place(current_clinic().schema_name, export.pk)
    context = {"export": export, "days": requests.KEPT_FOR.days, "so_far": storage.size_so_far(path) if path else 0}
    context["under_way"] = export is not None and export.state in export.UNDER_WAY
    with timezone.override(clinic_facts().time_zone):
        return render(request, template, context)
