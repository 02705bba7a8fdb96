"""The clinic's own notes on the patient screen. Views return the list of notes, or without JavaScript the screen."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.roles import Permission
from audit.log import Action
from launch import drafts, notes
from launch.access import View, audited_permission, is_own_view, record_access
from launch.drafts import TextBox
from launch.http import StaffRequest, empty_403, parse_number
from launch.messages import NOTE_EMPTY, NOTE_EMPTY_EDIT
from launch.models import Note
from sync.read import patients
from sync.read.records import PatientRecord


def notes_view(view: Callable[..., HttpResponse]) -> View:
    """Decorate a view that changes the notes of the patient on this user's screen. It gets the record, atomically."""

    @require_POST
    @audited_permission(Permission.WRITE_NOTES)
    @wraps(view)
    def guarded(request: StaffRequest, patient_id: str, **kwargs: Any) -> HttpResponse:
        if not is_own_view(request.user, patient_id, request.POST.get("view", "")):
            return empty_403()
        record = patients.get(patient_id)
        if record is None or record.deleted_at:
            return redirect("patient", patient_id)
        with transaction.atomic():
            return view(request, record, **kwargs)

    return guarded


@notes_view
def write(request: StaffRequest, record: PatientRecord) -> HttpResponse:
    text = notes.clean_text(request.POST.get("text", ""))
    if not text:
        return _respond(request, record, error=NOTE_EMPTY)
    notes.write(record.cliniko_id, text, by=request.user)
    drafts.discard(_text_box(request), _family(record))
    record_access(request, Action.NOTE_WRITTEN, record.cliniko_id)
    return _respond(request, record)


@notes_view
def edit(request: StaffRequest, record: PatientRecord, note_id: int) -> HttpResponse:
    """Save an edit. If someone else was faster, save nothing and show both texts."""
    note, text = _note(record, note_id), notes.clean_text(request.POST.get("text", ""))
    box, version = _text_box(request, note), parse_number(request.POST.get("version", "")) or 0
    if not text:
        return _respond(request, record, error=NOTE_EMPTY_EDIT)
    try:
        notes.edit(note, text, version=version, by=request.user)
    except notes.EditConflict:
        drafts.save(box, _family(record), text, version=version)
        return _show_conflict(request, record, note_id, text)
    drafts.discard(box, _family(record))
    record_access(request, Action.NOTE_WRITTEN, record.cliniko_id)
    return _respond(request, record)


@notes_view
def draft(request: StaffRequest, record: PatientRecord) -> HttpResponse:
    """Save or discard what the user is typing. No audit entry: no one else sees it."""
    note_id = parse_number(request.POST.get("note", ""))
    box = _text_box(request, _note(record, note_id) if note_id else None)
    if request.POST.get("discard"):
        drafts.discard(box, _family(record))
        return _respond(request, record)
    version = parse_number(request.POST.get("version", "")) or 0
    drafts.save(box, _family(record), request.POST.get("text", ""), version=version)
    return HttpResponse(status=204)


@notes_view
def pin(request: StaffRequest, record: PatientRecord, note_id: int) -> HttpResponse:
    pinned = request.POST.get("pinned") == "yes"
    if notes.pin(_note(record, note_id), pinned=pinned):
        record_access(request, Action.NOTE_WRITTEN, record.cliniko_id, pinned="yes" if pinned else "no")
    return _respond(request, record)


@notes_view
def delete(request: StaffRequest, record: PatientRecord, note_id: int) -> HttpResponse:
    """Delete a note; the list offers to undo it."""
    if notes.delete(_note(record, note_id), by=request.user):
        record_access(request, Action.NOTE_DELETED, record.cliniko_id)
    return _respond(request, record)


@notes_view
def restore(request: StaffRequest, record: PatientRecord, note_id: int) -> HttpResponse:
    if notes.restore(_note(record, note_id)):
        record_access(request, Action.NOTE_WRITTEN, record.cliniko_id, undone="delete")
    return _respond(request, record)


def _note(record: PatientRecord, note_id: int) -> Note:
    return get_object_or_404(Note, pk=note_id, patient_id__in=_family(record), set_aside_at=None)


def _family(record: PatientRecord) -> list[str]:
    """Return the IDs of the patient and of the records that were merged into it."""
    return [record.cliniko_id, *record.merged_from]


def _text_box(request: StaffRequest, note: Note | None = None) -> TextBox:
    """Return the text box that the submitted form belongs to."""
    restored = parse_number(request.POST.get("restored", "")) or 0
    return TextBox(request.user, int(request.POST["view"]), restored, note.pk if note else None)


def _respond(request: StaffRequest, record: PatientRecord, *, error: str = "") -> HttpResponse:
    if not request.htmx:
        if error:
            messages.warning(request, error)
        return redirect(reverse("patient", args=[record.cliniko_id]) + "#team-notes")
    return _render(request, record, "launch/_team_notes.html", error=error)


def _show_conflict(request: StaffRequest, record: PatientRecord, note_id: int, mine: str) -> HttpResponse:
    """Show the note as it is now beside the user's text."""
    context: dict[str, Any] = {"theirs": _note(record, note_id), "mine": mine, "restored": _text_box(request).restored}
    if request.htmx:  # htmx only shows responses with status 200
        return _render(request, record, "launch/_note_conflict.html", **context)
    return _render(request, record, "launch/note_conflict.html", status=409, **context)


def _render(
    request: StaffRequest, record: PatientRecord, template: str, *, status: int = 200, **context: object
) -> HttpResponse:
    shown = {"record": record, "view_id": int(request.POST["view"]), "word": record.clinic.patient_word}
    shown["team_notes"] = notes.notes_on(_family(record))
    shown["drafts"] = drafts.restore(request.user, _family(record))
    with timezone.override(record.clinic.time_zone):
        return render(request, template, shown | context, status=status)
