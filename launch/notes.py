"""The clinic's own notes about patients: edits detect conflicts and keep all versions, and a delete can be undone."""

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
_VERSION = JSONObject(text="text", author="author", written_at="written_at")


class EditConflict(Exception):
    """Someone else edited or deleted the note since the user began to edit it."""


@dataclass(frozen=True)
class EarlierVersion:
    text: str
    author: str
    written_at: datetime


@dataclass(frozen=True)
class NoteWithHistory:
    """A note and its earlier versions, latest first."""

    note: Note
    earlier: tuple[EarlierVersion, ...]


def notes_on(patient_ids: Iterable[str]) -> list[NoteWithHistory]:
    """Return the notes about these IDs, in one statement: pinned first, then latest first.

    Deleted notes are included for UNDO_FOR.
    """
    before = NoteVersion.objects.filter(note=OuterRef("pk"), number__lt=OuterRef("version")).order_by("-number")
    recent = Q(deleted_at=None) | Q(deleted_at__gt=timezone.now() - UNDO_FOR)
    rows = Note.objects.filter(recent, patient_id__in=list(patient_ids), set_aside_at=None)
    rows = rows.annotate(history=ArraySubquery(before.values(json=_VERSION)))
    return [
        NoteWithHistory(row, tuple(map(_earlier, row.history)))
        for row in rows.order_by("-pinned", "-created_at", "-pk")
    ]


def all_about(patient_ids: Iterable[str]) -> list[dict[str, Any]]:
    """Return all notes about these IDs with every version, oldest first, including deleted ones."""
    versions = NoteVersion.objects.filter(note=OuterRef("pk")).order_by("number")
    rows = Note.objects.filter(patient_id__in=list(patient_ids), set_aside_at=None)
    rows = rows.annotate(versions_kept=ArraySubquery(versions.values(json=_VERSION)))
    fields = "patient_id text author created_at editor edited_at pinned deleted_by deleted_at versions_kept".split()
    return list(rows.order_by("created_at", "pk").values(*fields))


def clean_text(text: str) -> str:
    """Return the text as it is stored: no NUL, no CR line ends, no space around it."""
    return text.replace("\x00", "").replace("\r\n", "\n").strip()


@transaction.atomic
def write(patient_id: str, text: str, *, by: User) -> Note:
    """Create a note with its first version."""
    note = Note.objects.create(patient_id=patient_id, text=text, author=_name(by))
    _add_version(note.pk, 1, text, by)
    return note


@transaction.atomic
def edit(note: Note, text: str, *, version: int, by: User) -> None:
    """Replace the text of `version` of the note. Raises EditConflict if that isn't the latest version."""
    unchanged = Note.objects.filter(pk=note.pk, version=version, deleted_at=None)
    if not unchanged.update(text=text, version=version + 1, editor=_name(by), edited_at=timezone.now()):
        raise EditConflict
    _add_version(note.pk, version + 1, text, by)


def pin(note: Note, *, pinned: bool) -> bool:
    """Pin or unpin the note. Return False if it was already."""
    return Note.objects.filter(pk=note.pk).exclude(pinned=pinned).update(pinned=pinned) > 0


def delete(note: Note, *, by: User) -> bool:
    """Hide the note; its text and history stay. Return False if it was already deleted."""
    notes = Note.objects.filter(pk=note.pk, deleted_at=None)
    return notes.update(deleted_at=timezone.now(), deleted_by=_name(by)) > 0


def restore(note: Note) -> bool:
    """Undo a delete within UNDO_FOR. Return False if there is none."""
    deleted = Note.objects.filter(pk=note.pk, deleted_at__gt=timezone.now() - UNDO_FOR)
    return deleted.update(deleted_at=None, deleted_by="") > 0


@receiver(account_changed)
def set_aside(**_: object) -> None:
    """Hide all notes: patient IDs of another Cliniko account mean other people."""
    Note.objects.filter(set_aside_at=None).update(set_aside_at=timezone.now())


def _add_version(note_id: int, number: int, text: str, by: User) -> None:
    NoteVersion.objects.create(note_id=note_id, number=number, text=text, author=_name(by), author_email=by.email)


def _name(user: User) -> str:
    return user.name or user.email


def _earlier(version: dict[str, str]) -> EarlierVersion:
    return EarlierVersion(version["text"], version["author"], datetime.fromisoformat(version["written_at"]))
