"""What somebody is typing and has not saved yet: kept here and not in the browser, which keeps nothing of a patient."""

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
from launch.notes import tidy
from sync.signals import account_changed

KEPT_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Box:
    """A box to type in: for a new note, or with `note_id` for that note, on the screen whose row in the access log is
    `view_id`. `offered` is the last draft that was in it from the beginning, 0 for none."""

    user: User
    view_id: int
    offered: int
    note_id: int | None = None


@dataclass(frozen=True)
class Offer:
    """What a box begins with, the version of the note that it was typed over (0 for a new one), and the last draft that
    is in it."""

    text: str
    version: int
    last: int


@transaction.atomic
def keep(box: Box, patient_ids: list[str], text: str, *, version: int) -> None:
    """Keep what is in the box now, for the first of the ids, instead of what was there. Other screens' drafts stay."""
    forget(box, patient_ids)
    words = tidy(text)
    if words and not _saved_a_moment_ago(box.user, patient_ids, words):
        Draft.objects.create(
            user=box.user,
            view_id=box.view_id,
            note_id=box.note_id,
            patient_id=patient_ids[0],
            text=words,
            version=version,
        )


def forget(box: Box, patient_ids: Iterable[str]) -> None:
    """The words are saved, or given up."""
    same = _new() if box.note_id is None else Q(note=box.note_id)
    here = Q(view_id=box.view_id) | Q(pk__lte=box.offered)
    Draft.objects.filter(same, here, user=box.user, patient_id__in=list(patient_ids)).delete()


def offers(user: User, patient_ids: Iterable[str]) -> dict[int | None, Offer]:
    """What each box begins with, by note, None for the one of new notes: everything that this person has not saved,
    screen after screen. What was typed over a note that is deleted by now is offered as a new one."""
    rows = Draft.objects.filter(user=user, patient_id__in=list(patient_ids), saved_at__gt=timezone.now() - KEPT_FOR)
    found: dict[int | None, Offer] = {}
    for row in rows.select_related("note").order_by("pk"):
        place = row.note_id if row.note and row.note.deleted_at is None else None
        earlier = found.get(place)
        text = row.text if earlier is None or earlier.text == row.text else f"{earlier.text}\n\n{row.text}"
        found[place] = Offer(text, min(row.version, earlier.version) if earlier else row.version, row.pk)
    return found


def everything_on(patient_ids: Iterable[str]) -> list[dict[str, Any]]:
    """All drafts about a patient, of everybody, oldest first, as plain values."""
    rows: QuerySet[Any] = Draft.objects.filter(patient_id__in=list(patient_ids)).order_by("pk")
    return list(rows.values("patient_id", "text", "saved_at", author=F("user__email")))


def forget_old() -> None:
    """Delete what nobody came back to."""
    Draft.objects.filter(saved_at__lt=timezone.now() - KEPT_FOR).delete()


@receiver(account_changed)
def forget_all(**_: object) -> None:
    """Ids of another Cliniko account mean other people."""
    Draft.objects.all().delete()


def _saved_a_moment_ago(user: User, patient_ids: list[str], words: str) -> bool:
    """What a page sent while it was being saved may come after it: words that are in a note by now are no draft."""
    since = timezone.now() - timedelta(minutes=1)
    saved = NoteVersion.objects.filter(note__patient_id__in=patient_ids, author_email=user.email, written_at__gt=since)
    return saved.filter(note__deleted_at=None, text__startswith=words).exists()


def _new() -> Q:
    return Q(note=None) | Q(note__deleted_at__isnull=False)
