"""The patient screen, and its own question for a fresh copy."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect, reswap, retarget

from audit.log import Action
from launch.access import is_viewing, patients_page, record_access
from launch.changes import since_last_look
from launch.converters import is_cliniko_id
from launch.drafts import offers
from launch.error_pages import BANNERS, NOT_ARRIVED, UNREADABLE, explain
from launch.favicon import icon, word_between_tabs
from launch.find_patient import arrive, survivor_of
from launch.http import StaffRequest, empty_refusal, is_somebody_looking
from launch.notes import notes_on
from launch.previous_view import previous_view
from launch.screen import screen_of, version_of
from sync import refresh
from sync.read import patients
from sync.read.records import PatientRecord


@patients_page
@require_safe
def patient(request: StaffRequest, patient_id: str) -> HttpResponse:
    """Show the patient from the mirror; one that it does not hold is fetched while the page waits."""
    if not is_somebody_looking(request):
        return empty_refusal()
    arrival = arrive(patient_id)
    if arrival.record is None:
        record_access(request, Action.NOT_FOUND, patient_id)
        return explain(request, NOT_ARRIVED.get(arrival.outcome, UNREADABLE))
    survivor = survivor_of(arrival.record)
    if survivor != patient_id:
        return redirect(_address(survivor, merged=patient_id))
    view = record_access(request, Action.VIEWED, patient_id)
    merged = _merged_into_this(request.GET.get("merged", ""), patient_id)
    return _show(request, arrival.record, "launch/patient.html", view_id=view.pk, merged=merged, first_look=True)


@patients_page
@require_POST
def fresh(request: StaffRequest, patient_id: str) -> HttpResponse:
    """Re-read the patient for a page that is open: its screen again, or only the line of freshness if nothing changed.

    Belongs to the view whose row in the access log the page names, and adds none of its own.
    """
    view_id = request.POST.get("view", "")
    if not is_viewing(request.user, patient_id, view_id):
        return empty_refusal()
    outcome = refresh.refresh_patient(patient_id)
    record = patients.get(patient_id)
    if not request.htmx or record is None:
        return _turn_to(request, _address(patient_id))
    survivor = survivor_of(record)
    if survivor != patient_id:
        return _turn_to(request, _address(survivor, merged=patient_id))
    # Somebody else's question may have been answered before the edit that this person came to see: ask once more.
    busy = outcome is refresh.Outcome.BUSY
    banner = BANNERS[outcome].in_words_of(record.clinic.patient_word) if outcome in BANNERS else None
    return _answer(request, record, view_id=int(view_id), banner=banner, ask_again=busy)


def _answer(request: StaffRequest, record: PatientRecord, *, view_id: int, **context: object) -> HttpResponse:
    """The whole screen when it changed; otherwise the line of freshness alone, so that eyes and focus stay put."""
    if request.POST.get("version") != version_of(record):
        return _show(request, record, "launch/_screen.html", view_id=view_id, **context)
    response = _show(request, record, "launch/_freshness.html", view_id=view_id, **context)
    return reswap(retarget(response, "#freshness"), "outerHTML")


def _show(
    request: StaffRequest, record: PatientRecord, template: str, *, view_id: int, **context: object
) -> HttpResponse:
    seen = previous_view(request.user, record.cliniko_id, view_id)
    screen = screen_of(record, now=timezone.now())
    opening = bool(context.get("first_look"))
    changed = since_last_look(record, seen, opening=opening)
    shown = {"screen": screen, "record": record, "changed": changed, "view_id": view_id}
    shown["new_since"] = seen.earlier or (None if opening else seen.began)
    shown["has_card_numbers"] = seen.shows_card_numbers and bool(record.card_numbers)
    family = [record.cliniko_id, *record.merged_from]
    shown["own_notes"] = notes_on(family)
    shown["offers"] = offers(request.user, family)
    shown["tab_word"] = word_between_tabs(request.session.session_key or "", record.cliniko_id)
    shown["icon"] = icon(record.name, request.clinic.label)
    with timezone.override(record.clinic.time_zone):
        return render(request, template, shown | context)


def _address(patient_id: str, *, merged: str = "") -> str:
    path = reverse("patient", args=[patient_id])
    return f"{path}?{urlencode({'merged': merged})}" if merged else path


def _turn_to(request: StaffRequest, address: str) -> HttpResponse:
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)


def _merged_into_this(claimed: str, patient_id: str) -> str:
    """The id that led here by a merge, when it truly did: anybody can write an address."""
    if claimed == patient_id or not is_cliniko_id(claimed):
        return ""
    loser = patients.get(claimed)
    return claimed if loser and survivor_of(loser) == patient_id else ""
