"""The settings page where owners request and download exports."""

import structlog
from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError

from accounts.reauthentication import reauthentication_required
from accounts.roles import Permission, permission_required
from accounts.sessions import SignedInRequest
from exports import requests, storage, tasks
from sync.read.patients import clinic_facts
from tenants.context import current_clinic

log = structlog.get_logger(__name__)


@require_safe
@permission_required(Permission.EXPORT_CLINIC)
def page(request: HttpRequest) -> HttpResponse:
    return _render(request, "exports/export.html")


@require_safe
@permission_required(Permission.EXPORT_CLINIC)
def progress(request: HttpRequest) -> HttpResponse:
    """Return the page's status section, which polls while an export is in progress."""
    return _render(request, "exports/_export.html")


@require_POST
@permission_required(Permission.EXPORT_CLINIC)
@reauthentication_required
def request_export(request: SignedInRequest) -> HttpResponse:
    try:
        export = requests.request_export(by=request.user)
        tasks.enqueue(current_clinic().schema_name, export.pk)
    except requests.ExportInProgress:
        messages.info(request, "An export is already being created.")
    except OperationalError as error:  # the row is committed: exports.clean_up sends it again
        log.warning("export_not_enqueued", exc_info=error)
    except OSError as error:
        log.error("export_directory_unavailable", exc_info=error)
        messages.error(request, "Sidechart can't store exports right now. Please contact Sidechart support.")
    return redirect("export")


@require_POST
@permission_required(Permission.EXPORT_CLINIC)
@reauthentication_required
def download(request: SignedInRequest, export_id: int) -> HttpResponseBase:
    """Send the file, once."""
    try:
        file = requests.download(export_id, by=request.user)
    except requests.ExportUnavailable:
        messages.warning(request, "That export is no longer available. Create a new one.")
        return redirect("export")
    name = f"sidechart-{current_clinic().label}-{timezone.localdate():%Y-%m-%d}.zip"
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")


def _render(request: HttpRequest, template: str) -> HttpResponse:
    export = requests.latest_export()
    path = storage.export_path(current_clinic().schema_name, export.pk) if export else None
    context = {
        "export": export,
        "days": requests.AVAILABLE_FOR.days,
        "size_so_far": storage.draft_size(path) if path else 0,
        "in_progress": export is not None and export.state in export.IN_PROGRESS,
    }
    with timezone.override(clinic_facts().time_zone):
        return render(request, template, context)
