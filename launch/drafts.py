"""Text that staff typed and haven't saved. Stored here, because browsers store nothing about patients."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.dispatch import receiver
from django.utils import timezone

from accounts.models import User
from launch.models import Draft, NoteVersion
from launch.notes import clean_text
from sync.signals import account_changed

STORED_FOR = timedelta(days=7)


@dataclass(frozen=True)
class TextBox:
    """A text box on one view of the screen: for a new note, or with `note_id` for an edit of that note.

    `view_id` is the view's audit entry. `restored` is the ID of the last draft that the box began with, 0 for none.
    """

    user: User
    view_id: int
    restored: int
    note_id: int | None = None


@dataclass(frozen=True)
class RestoredDraft:
    """What a box begins with, the version of the note that it edits (0 for a new note), and the last draft's ID."""

    text: str
    version: int
    last_id: int


@transaction.atomic
def save(box: TextBox, patient_ids: list[str], text: str, *, version: int) -> None:
    """Replace the box's draft, under the first of the patient's IDs. Drafts from other screens stay."""
    discard(box, patient_ids)
    cleaned = clean_text(text)
    if cleaned and not _is_just_saved(box.user, patient_ids, cleaned):
        Draft.objects.create(
            user=box.user,
            view_id=box.view_id,
            note_id=box.note_id,
            patient_id=patient_ids[0],
            text=cleaned,
            version=version,
        )


def discard(box: TextBox, patient_ids: Iterable[str]) -> None:
    """Delete the box's draft and those that it began with."""
    new_note = Q(note=None) | Q(note__deleted_at__isnull=False)
    same_note = new_note if box.note_id is None else Q(note=box.note_id)
    same_box = Q(view_id=box.view_id) | Q(pk__lte=box.restored)
    Draft.objects.filter(same_note, same_box, user=box.user, patient_id__in=list(patient_ids)).delete()


def restore(user: User, patient_ids: Iterable[str]) -> dict[int | None, RestoredDraft]:
    """Return the user's drafts by note, None for a new note. Drafts from several screens follow one another.

    A draft of a note that has been deleted is offered as a new note.
    """
    rows = Draft.objects.filter(user=user, patient_id__in=list(patient_ids), saved_at__gt=timezone.now() - STORED_FOR)
    found: dict[int | None, RestoredDraft] = {}
    for row in rows.select_related("note").order_by("pk"):
        note_id = row.note_id if row.note and row.note.deleted_at is None else None
        earlier = found.get(note_id)
        text = row.text if earlier is None or earlier.text == row.text else f"{earlier.text}\n\n{row.text}"
        version = min(row.version, earlier.version) if earlier else row.version
        found[note_id] = RestoredDraft(text, version, row.pk)
    return found


def all_about(patient_ids: Iterable[str]) -> list[dict[str, Any]]:
    """Return every user's drafts about a patient, oldest first."""
    rows: QuerySet[Any] = Draft.objects.filter(patient_id__in=list(patient_ids)).order_by("pk")
    return list(rows.values("patient_id", "text", "saved_at", author=F("user__email")))


def delete_expired() -> None:
    Draft.objects.filter(saved_at__lt=timezone.now() - STORED_FOR).delete()


@receiver(account_changed)
def delete_all(**_: object) -> None:
    """Delete all drafts: patient IDs of another Cliniko account mean other people."""
    Draft.objects.all().delete()


def _is_just_saved(user: User, patient_ids: list[str], text: str) -> bool:
    """Return True if a note already begins with this text: a draft sent while saving may arrive after the note."""
    since = timezone.now() - timedelta(minutes=1)
    saved = NoteVersion.objects.filter(note__patient_id__in=patient_ids, author_email=user.email, written_at__gt=since)
    return saved.filter(note__deleted_at=None, text__startswith=text).exists()
