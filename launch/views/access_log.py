"""The access log of the clinic and of one patient, for owners and admins."""

from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import Permission
from audit.log import Action
from launch import access_log, subject_access
from launch.access import audited_permission, record_access, view_log_required
from launch.access_log import LogFilter
from launch.find_patient import surviving_id
from launch.http import StaffRequest, empty_403, is_page_load, parse_number
from sync.read import patients
from sync.read.records import PatientRecord


@view_log_required
@require_safe
def for_clinic(request: StaffRequest) -> HttpResponse:
    if not is_page_load(request):
        return empty_403()
    record_access(request, Action.LOG_READ)
    return _render(request, "launch/clinic_access_log.html", Q())


@view_log_required
@require_safe
def for_patient(request: StaffRequest, patient_id: str) -> HttpResponse:
    """Show who did what with one patient. A merged patient's entries are on the survivor's page."""
    if not is_page_load(request):
        return empty_403()
    record = _patient(request, patient_id)
    survivor = surviving_id(record)
    if survivor != patient_id:
        return redirect("patient_access", survivor)
    record_access(request, Action.LOG_READ, patient_id)
    return _render(request, "launch/patient_access_log.html", access_log.about(record), record=record)


@view_log_required
@require_POST
def clinic_csv(request: StaffRequest) -> HttpResponseBase:
    """Send all entries that match the page's filter."""
    return _csv(request, Q())


@view_log_required
@require_POST
def patient_csv(request: StaffRequest, patient_id: str) -> HttpResponseBase:
    """Send all entries about one patient that match the page's filter."""
    record = _patient(request, patient_id)
    survivor = surviving_id(record)
    if survivor != patient_id:  # merged after the page was opened
        record = _patient(request, survivor)
    return _csv(request, access_log.about(record), survivor)


@audited_permission(Permission.EXPORT_PATIENTS)
@require_POST
def subject_access_file(request: StaffRequest, patient_id: str) -> HttpResponse:
    """Send all data about one patient. The file name doesn't say who it is about."""
    record = _patient(request, patient_id)
    survivor = surviving_id(record)
    if survivor != patient_id:
        return redirect("patient_access", survivor)
    record_access(request, Action.EXPORTED, patient_id, file="subject access")
    content = subject_access.build_zip(record, clinic=request.clinic, now=timezone.now())
    disposition = _attachment("subject-access", "zip", record.clinic.time_zone)
    return HttpResponse(content, content_type="application/zip", headers={"Content-Disposition": disposition})


def _patient(request: StaffRequest, patient_id: str) -> PatientRecord:
    record = patients.get(patient_id)
    if record is None:
        record_access(request, Action.NOT_FOUND, patient_id)
        raise Http404
    return record


def _render(request: StaffRequest, template: str, scope: Q, **context: Any) -> HttpResponse:
    facts, people = patients.clinic_facts(), access_log.people()
    form, before = LogFilter(request.GET, people=people), parse_number(request.GET.get("before", ""))
    matching = scope & form.condition(facts.time_zone) if form.is_valid() else Q(pk__in=[])
    events, more = access_log.page(matching, before=before)
    context |= {
        "filter": form,
        "chosen": form.parameters(),
        "before": before,
        "entries": access_log.entries(events, people),
        "older": urlencode(form.parameters() | {"before": events[-1].pk}) if more else "",
        "word": facts.patient_word,
        "zone": facts.time_zone,
    }
    with timezone.override(facts.time_zone):
        return render(request, template, context, status=200 if form.is_valid() else 422)


def _csv(request: StaffRequest, scope: Q, patient_id: str = "") -> HttpResponseBase:
    zone, form = patients.clinic_facts().time_zone, LogFilter(request.POST, people=access_log.people())
    if not form.is_valid():
        return HttpResponse(status=422)
    record_access(request, Action.EXPORTED, patient_id, file="access log")
    return StreamingHttpResponse(
        access_log.as_csv(request.clinic, scope & form.condition(zone), zone),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": _attachment("access-log", "csv", zone)},
    )


def _attachment(name: str, extension: str, zone: str) -> str:
    return f'attachment; filename="{name}-{timezone.localdate(timezone=ZoneInfo(zone)):%Y-%m-%d}.{extension}"'
