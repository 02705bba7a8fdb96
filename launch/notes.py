"""The clinic's own notes on a patient: writing, editing without losing anybody's words, deleting with a way back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import OuterRef, Q
from django.db.models.functions import JSONObject
from django.dispatch import receiver
from django.utils import timezone

from accounts.models import User
from launch.models import Note, NoteVersion
from sync.signals import account_changed

UNDO_FOR = timedelta(hours=24)


class NoteMovedOn(Exception):
    """The note was edited or deleted by somebody else since this person began to edit it."""


@dataclass(frozen=True)
class Earlier:
    """What a note said before an edit."""

    text: str
    author: str
    written_at: datetime


@dataclass(frozen=True)
class Shown:
    """A note and what it said before, latest first."""

    note: Note
    earlier: tuple[Earlier, ...]


def notes_on(patient_ids: Iterable[str]) -> list[Shown]:
    """The notes on a patient and on those merged into them, in one statement: pinned first, then the latest; among them
    for a day those that were deleted."""
    before = NoteVersion.objects.filter(note=OuterRef("pk"), number__lt=OuterRef("version")).order_by("-number")
    history = ArraySubquery(before.values(json=JSONObject(text="text", author="author", written_at="written_at")))
    recent = Q(deleted_at=None) | Q(deleted_at__gt=timezone.now() - UNDO_FOR)
    rows = Note.objects.filter(recent, patient_id__in=list(patient_ids), set_aside_at=None).annotate(history=history)
    return [Shown(row, tuple(map(_earlier, row.history))) for row in rows.order_by("-pinned", "-created_at", "-pk")]


def everything_on(patient_ids: Iterable[str]) -> list[dict[str, Any]]:
    """All notes on a patient and on those merged into them, oldest first, as plain values: with every version, and
    those that were deleted."""
    versions = NoteVersion.objects.filter(note=OuterRef("pk")).order_by("number")
    history = ArraySubquery(versions.values(json=JSONObject(text="text", author="author", written_at="written_at")))
    rows = Note.objects.filter(patient_id__in=list(patient_ids), set_aside_at=None).annotate(versions_kept=history)
    fields = "patient_id text author created_at editor edited_at pinned deleted_by deleted_at versions_kept".split()
    return list(rows.order_by("created_at", "pk").values(*fields))


def tidy(text: str) -> str:
    """Text as it is kept."""
    return text.replace("\x00", "").replace("\r\n", "\n").strip()


@transaction.atomic
def write(patient_id: str, text: str, *, by: User) -> Note:
    """A new note."""
    note = Note.objects.create(patient_id=patient_id, text=text, author=_name(by))
    _keep_version(note.pk, 1, text, by)
    return note


@transaction.atomic
def edit(note: Note, text: str, *, version: int, by: User) -> None:
    """Replace what the note said in `version`. Raises NoteMovedOn when it says something else by now."""
    held = Note.objects.filter(pk=note.pk, version=version, deleted_at=None)
    if not held.update(text=text, version=version + 1, editor=_name(by), edited_at=timezone.now()):
        raise NoteMovedOn
    _keep_version(note.pk, version + 1, text, by)


def pin(note: Note, *, pinned: bool) -> bool:
    """Put the note before the others, or back among them. False when it is there already."""
    return Note.objects.filter(pk=note.pk).exclude(pinned=pinned).update(pinned=pinned) > 0


def delete(note: Note, *, by: User) -> bool:
    """Take the note off the screen. Its words and history stay, and for a day the screen offers them back. False when
    somebody else did."""
    held = Note.objects.filter(pk=note.pk, deleted_at=None)
    return held.update(deleted_at=timezone.now(), deleted_by=_name(by)) > 0


def restore(note: Note) -> bool:
    """Undo a delete. False when there is none to be undone (any more)."""
    held = Note.objects.filter(pk=note.pk, deleted_at__gt=timezone.now() - UNDO_FOR)
    return held.update(deleted_at=None, deleted_by="") > 0


@receiver(account_changed)
def set_aside(**_: object) -> None:
    """Ids of another Cliniko account mean other people: no note may turn up on a stranger's screen."""
    Note.objects.filter(set_aside_at=None).update(set_aside_at=timezone.now())


def _keep_version(note_id: int, number: int, text: str, by: User) -> None:
    NoteVersion.objects.create(note_id=note_id, number=number, text=text, author=_name(by), author_email=by.email)


def _name(user: User) -> str:
    return user.name or user.email


def _earlier(version: dict[str, str]) -> Earlier:
    return Earlier(version["text"], version["author"], datetime.fromisoformat(version["written_at"]))
