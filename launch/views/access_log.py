"""Who looked at whom: the access log of the clinic and of one patient, for owners and admins."""

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
from audit.models import Event
from launch import access_log, subject_access
from launch.access import log_page, record_access, recorded
from launch.access_log import LogFilter
from launch.find_patient import survivor_of
from launch.http import StaffRequest, empty_refusal, is_somebody_looking, number
from sync.read import patients
from sync.read.records import PatientRecord


@log_page
@require_safe
def of_clinic(request: StaffRequest) -> HttpResponse:
    """Show what everybody did."""
    if not is_somebody_looking(request):
        return empty_refusal()
    record_access(request, Action.LOG_READ)
    return _show(request, "launch/access_of_clinic.html", Q())


@log_page
@require_safe
def of_patient(request: StaffRequest, patient_id: str) -> HttpResponse:
    """Show who did what with one patient, under former ids too; a merged patient's lines are on the survivor's page."""
    if not is_somebody_looking(request):
        return empty_refusal()
    record = _patient(request, patient_id)
    survivor = survivor_of(record)
    if survivor != patient_id:
        return redirect("patient_access", survivor)
    record_access(request, Action.LOG_READ, patient_id)
    return _show(request, "launch/access_of_patient.html", access_log.about(record), record=record)


@log_page
@require_POST
def csv_of_clinic(request: StaffRequest) -> HttpResponseBase:
    """Send the lines that the page's filter shows, all of them."""
    return _csv(request, Q())


@log_page
@require_POST
def csv_of_patient(request: StaffRequest, patient_id: str) -> HttpResponseBase:
    """Send the lines about one patient that the page's filter shows, all of them."""
    record = _patient(request, patient_id)
    survivor = survivor_of(record)
    if survivor != patient_id:  # merged since the page was opened: its lines are among the survivor's
        record = _patient(request, survivor)
    return _csv(request, access_log.about(record), survivor)


@recorded(Permission.EXPORT_PATIENTS)
@require_POST
def pack(request: StaffRequest, patient_id: str) -> HttpResponse:
    """Send all that is held about one patient. The file's name does not say whom it is about."""
    record = _patient(request, patient_id)
    survivor = survivor_of(record)
    if survivor != patient_id:
        return redirect("patient_access", survivor)
    record_access(request, Action.EXPORTED, patient_id, file="access pack")
    made = subject_access.make(record, clinic=request.clinic, now=timezone.now())
    name = _file_name("access-pack", "zip", record.clinic.time_zone)
    return HttpResponse(made, content_type="application/zip", headers={"Content-Disposition": name})


def _patient(request: StaffRequest, patient_id: str) -> PatientRecord:
    record = patients.get(patient_id)
    if record is None:
        record_access(request, Action.NOT_FOUND, patient_id)
        raise Http404
    return record


def _show(request: StaffRequest, template: str, scope: Q, **context: Any) -> HttpResponse:
    facts, people = patients.clinic_facts(), access_log.people()
    wanted, before = LogFilter(request.GET, people=people), number(request.GET.get("before", ""))
    events: list[Event] = []
    more = False
    if wanted.is_valid():
        events, more = access_log.page(scope & wanted.condition(facts.time_zone), before=before)
    shown = {"filter": wanted, "chosen": wanted.as_parameters(), "before": before, "zone": facts.time_zone}
    shown["lines"] = access_log.lines(events, people)
    shown["older"] = urlencode(wanted.as_parameters() | {"before": events[-1].pk}) if more else ""
    shown["word"] = facts.patient_word
    with timezone.override(facts.time_zone):
        return render(request, template, shown | context, status=200 if wanted.is_valid() else 422)


def _csv(request: StaffRequest, scope: Q, patient_id: str = "") -> HttpResponseBase:
    zone, wanted = patients.clinic_facts().time_zone, LogFilter(request.POST, people=access_log.people())
    if not wanted.is_valid():
        return HttpResponse(status=422)
    record_access(request, Action.EXPORTED, patient_id, file="access log")
    return StreamingHttpResponse(
        access_log.as_csv(request.clinic, scope & wanted.condition(zone), zone),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": _file_name("access-log", "csv", zone)},
    )


def _file_name(what: str, ending: str, zone: str) -> str:
    return f'attachment; filename="{what}-{timezone.localdate(timezone=ZoneInfo(zone)):%Y-%m-%d}.{ending}"'
