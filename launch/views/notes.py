"""The clinic's own notes on the patient screen. Each answer is the list of notes, or without a script the screen."""

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
from launch.access import View, is_viewing, record_access, recorded
from launch.drafts import Box
from launch.http import StaffRequest, empty_refusal, number
from launch.models import Note
from sync.read import patients
from sync.read.records import PatientRecord

NO_WORDS = "A note needs words."


def notes_page(view: Callable[..., HttpResponse]) -> View:
    """A change to the notes of a patient who is on this person's screen: hands in their record, and all or nothing."""

    @require_POST
    @recorded(Permission.WRITE_NOTES)
    @wraps(view)
    def guarded(request: StaffRequest, patient_id: str, **kwargs: Any) -> HttpResponse:
        if not is_viewing(request.user, patient_id, request.POST.get("view", "")):
            return empty_refusal()
        record = patients.get(patient_id)
        if record is None or record.deleted_at:
            return redirect("patient", patient_id)
        with transaction.atomic():
            return view(request, record, **kwargs)

    return guarded


@notes_page
def write(request: StaffRequest, record: PatientRecord) -> HttpResponse:
    """Add a note."""
    text = notes.tidy(request.POST.get("text", ""))
    if not text:
        return _answer(request, record, wrong=NO_WORDS)
    notes.write(record.cliniko_id, text, by=request.user)
    drafts.forget(_box(request), _family(record))
    record_access(request, Action.NOTE_WRITTEN, record.cliniko_id)
    return _answer(request, record)


@notes_page
def edit(request: StaffRequest, record: PatientRecord, note_id: int) -> HttpResponse:
    """Save an edit; when somebody else was quicker, show what both wrote and save neither over the other."""
    note, text = _note(record, note_id), notes.tidy(request.POST.get("text", ""))
    box, version = _box(request, note), number(request.POST.get("version", "")) or 0
    if not text:
        return _answer(request, record, wrong=f"{NO_WORDS} To take one off the screen, delete it.")
    try:
        notes.edit(note, text, version=version, by=request.user)
    except notes.NoteMovedOn:
        drafts.keep(box, _family(record), text, version=version)
        return _both(request, record, note_id, text)
    drafts.forget(box, _family(record))
    record_access(request, Action.NOTE_WRITTEN, record.cliniko_id)
    return _answer(request, record)


@notes_page
def draft(request: StaffRequest, record: PatientRecord) -> HttpResponse:
    """Keep what somebody is typing until they save it, or give it up. No line in the log: nobody else sees it."""
    note_id = number(request.POST.get("note", ""))
    box = _box(request, _note(record, note_id) if note_id else None)
    if request.POST.get("give_up"):
        drafts.forget(box, _family(record))
        return _answer(request, record)
    version = number(request.POST.get("version", "")) or 0
    drafts.keep(box, _family(record), request.POST.get("text", ""), version=version)
    return HttpResponse(status=204)


@notes_page
def pin(request: StaffRequest, record: PatientRecord, note_id: int) -> HttpResponse:
    """Pin a note, or no longer."""
    pinned = request.POST.get("pinned") == "yes"
    if notes.pin(_note(record, note_id), pinned=pinned):
        record_access(request, Action.NOTE_WRITTEN, record.cliniko_id, pinned="yes" if pinned else "no")
    return _answer(request, record)


@notes_page
def delete(request: StaffRequest, record: PatientRecord, note_id: int) -> HttpResponse:
    """Delete a note; the list offers to undo it."""
    if notes.delete(_note(record, note_id), by=request.user):
        record_access(request, Action.NOTE_DELETED, record.cliniko_id)
    return _answer(request, record)


@notes_page
def restore(request: StaffRequest, record: PatientRecord, note_id: int) -> HttpResponse:
    """Undo a delete."""
    if notes.restore(_note(record, note_id)):
        record_access(request, Action.NOTE_WRITTEN, record.cliniko_id, undone="delete")
    return _answer(request, record)


def _note(record: PatientRecord, note_id: int) -> Note:
    return get_object_or_404(Note, pk=note_id, patient_id__in=_family(record), set_aside_at=None)


def _family(record: PatientRecord) -> list[str]:
    """The patient's id and those of the records that were merged into it."""
    return [record.cliniko_id, *record.merged_from]


def _box(request: StaffRequest, note: Note | None = None) -> Box:
    """The box that the form is."""
    offered = number(request.POST.get("offered", "")) or 0
    return Box(request.user, int(request.POST["view"]), offered, note.pk if note else None)


def _answer(request: StaffRequest, record: PatientRecord, *, wrong: str = "") -> HttpResponse:
    if not request.htmx:
        if wrong:
            messages.warning(request, wrong)
        return redirect(reverse("patient", args=[record.cliniko_id]) + "#own-notes")
    return _render(request, record, "launch/_own_notes.html", wrong=wrong)


def _both(request: StaffRequest, record: PatientRecord, note_id: int, mine: str) -> HttpResponse:
    """What the note says by now beside what this person wrote, to be put together or given up."""
    shown: dict[str, Any] = {"theirs": _note(record, note_id), "mine": mine, "offered": _box(request).offered}
    if request.htmx:  # htmx shows answers of 200 only
        return _render(request, record, "launch/_note_both.html", **shown)
    return _render(request, record, "launch/note_both.html", status=409, **shown)


def _render(
    request: StaffRequest, record: PatientRecord, template: str, *, status: int = 200, **context: object
) -> HttpResponse:
    shown = {"record": record, "view_id": int(request.POST["view"]), "word": record.clinic.patient_word}
    shown["own_notes"] = notes.notes_on(_family(record))
    shown["offers"] = drafts.offers(request.user, _family(record))
    with timezone.override(record.clinic.time_zone):
        return render(request, template, shown | context, status=status)
