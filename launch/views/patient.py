"""The patient screen, and its request for a fresh copy."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect, reswap, retarget

from audit.log import Action
from launch import drafts
from launch.access import is_own_view, record_access, view_patients_required
from launch.changes import changes_since
from launch.converters import is_cliniko_id
from launch.error_pages import render_error
from launch.favicon import icon, tab_token
from launch.find_patient import find_patient, surviving_id
from launch.http import StaffRequest, empty_403, is_page_load
from launch.messages import BANNERS, NOT_FOUND, UNREADABLE
from launch.notes import notes_on
from launch.previous_view import previous_view
from launch.screen import build_screen, version_of
from sync import refresh
from sync.read import patients
from sync.read.records import PatientRecord


@view_patients_required
@require_safe
def patient(request: StaffRequest, patient_id: str) -> HttpResponse:
    """Show the patient from the mirror; if they aren't there, fetch them while the page waits."""
    if not is_page_load(request):
        return empty_403()
    found = find_patient(patient_id)
    if found.record is None:
        record_access(request, Action.NOT_FOUND, patient_id)
        return render_error(request, NOT_FOUND.get(found.outcome, UNREADABLE))
    survivor = surviving_id(found.record)
    if survivor != patient_id:
        return redirect(_url(survivor, merged=patient_id))
    view = record_access(request, Action.VIEWED, patient_id)
    merged = _merged_into_this(request.GET.get("merged", ""), patient_id)
    return _render(request, found.record, "launch/patient.html", view_id=view.pk, merged=merged, opening=True)


@view_patients_required
@require_POST
def fresh(request: StaffRequest, patient_id: str) -> HttpResponse:
    """Read the patient again for an open page. Return the screen, or only its freshness line if nothing changed.

    Belongs to the view whose audit entry the page names, and adds no entry of its own.
    """
    view_id = request.POST.get("view", "")
    if not is_own_view(request.user, patient_id, view_id):
        return empty_403()
    outcome = refresh.refresh_patient(patient_id)
    record = patients.get(patient_id)
    if not request.htmx or record is None:
        return _redirect(request, _url(patient_id))
    survivor = surviving_id(record)
    if survivor != patient_id:
        return _redirect(request, _url(survivor, merged=patient_id))
    context: dict[str, Any] = {
        "banner": BANNERS[outcome].format(patient=record.clinic.patient_word) if outcome in BANNERS else None,
        # Another user's request may have been answered before the edit that this user came to see.
        "ask_again": outcome is refresh.Outcome.BUSY,
    }
    if request.POST.get("version") != version_of(record):
        return _render(request, record, "launch/_screen.html", view_id=int(view_id), **context)
    # Replace only the freshness line, so that focus and scroll position stay.
    response = _render(request, record, "launch/_freshness.html", view_id=int(view_id), **context)
    return reswap(retarget(response, "#freshness"), "outerHTML")


def _render(
    request: StaffRequest,
    record: PatientRecord,
    template: str,
    *,
    view_id: int,
    opening: bool = False,
    **context: object,
) -> HttpResponse:
    view = previous_view(request.user, record.cliniko_id, view_id)
    family = [record.cliniko_id, *record.merged_from]
    context |= {
        "record": record,
        "screen": build_screen(record, now=timezone.now()),
        "view_id": view_id,
        "opening": opening,
        "changes": changes_since(record, view, opening=opening),
        "new_since": view.previous_at or (None if opening else view.started_at),
        "has_card_numbers": view.shows_card_numbers and bool(record.card_numbers),
        "team_notes": notes_on(family),
        "drafts": drafts.restore(request.user, family),
        "tab_token": tab_token(request.session.session_key or "", record.cliniko_id),
        "icon": icon(record.name, request.clinic.label),
    }
    with timezone.override(record.clinic.time_zone):
        return render(request, template, context)


def _url(patient_id: str, *, merged: str = "") -> str:
    path = reverse("patient", args=[patient_id])
    return f"{path}?{urlencode({'merged': merged})}" if merged else path


def _redirect(request: StaffRequest, url: str) -> HttpResponse:
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)


def _merged_into_this(claimed: str, patient_id: str) -> str:
    """Return the ID in the URL if that patient really was merged into this one, else ""."""
    if claimed == patient_id or not is_cliniko_id(claimed):
        return ""
    merged = patients.get(claimed)
    return claimed if merged and surviving_id(merged) == patient_id else ""
