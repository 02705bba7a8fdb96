"""What owners do with exports: ask for one, have it made, fetch it once."""

from datetime import timedelta
from errno import ENOSPC
from pathlib import Path
from smtplib import SMTPException
from typing import BinaryIO

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.dispatch import receiver
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from audit.log import Action, record
from exports import archive, storage
from exports.models import Export
from sync.signals import account_changed, fields_excluded
from tenants.context import current_clinic
from tenants.hosts import clinic_url

State = Export.State
KEPT_FOR = timedelta(days=7)
STARTS_WITHIN = timedelta(seconds=10)  # from a row that says it is being made to the lock on its file
MAY_TAKE = timedelta(hours=1)
MAY_WAIT = timedelta(hours=6)
FULL = "There was no room for it on our disk. Please tell those who run Sidechart."
BROKEN = "Something went wrong on our side. Asking again may help; if not, tell those who run Sidechart."
NOT_BEGUN = "Nobody began to make it. Please ask again; if that does not help, tell those who run Sidechart."
DIED = "The program that made it was stopped. Please ask again."
CHANGED = "What is stored of the clinic was changed meanwhile. Please ask again."
RESTORED = "The clinic was restored from a backup. Please ask again."
GONE = "Its file is no longer there. Please ask again."

log = structlog.get_logger(__name__)


class AlreadyUnderWay(Exception):
    """One export is being made: another one can be asked for when that is over."""


class NotThere(Exception):
    """No export waits under this number: it was fetched, has expired, or never was."""


def latest() -> Export | None:
    """The export that was asked for last, as it stands."""
    return with_current_state(Export.objects.order_by("-pk").first())


def with_current_state(export: Export | None) -> Export | None:
    """The same, not saved: failed when who made it has died or nobody will make it, expired when its time is over."""
    if export and _has_died(export):
        export.state, export.failure = State.FAILED, DIED
    if export and export.state == State.ASKED and timezone.now() - export.asked_at > MAY_WAIT:
        export.state, export.failure = State.FAILED, NOT_BEGUN  # a restored one, of whose message nobody knows
    if export and export.state == State.READY and export.expires_at and export.expires_at <= timezone.now():
        export.state = State.EXPIRED
    return export


def request_export(*, by: User) -> Export:
    """Have an export made; an earlier one that nobody fetched is over.

    Raises AlreadyUnderWay, and OSError when there is no place for it.
    """
    update_states()
    storage.prepare(current_clinic().schema_name)
    try:
        with transaction.atomic():
            Export.objects.filter(state=State.READY).update(state=State.EXPIRED)  # exports.tend deletes its file
            export = Export.objects.create(asked_by=by.email)
            record(Action.EXPORTED, by=by, what="clinic", step="asked for")
    except IntegrityError:
        raise AlreadyUnderWay from None
    return export


def make(export_id: int) -> None:
    """Make an export that was asked for; one that is being made already, or is over, is left alone."""
    asked = Export.objects.filter(pk=export_id, state=State.ASKED)
    if not asked.update(state=State.BEING_MADE, started_at=timezone.now()):
        return
    clinic = current_clinic()
    path = storage.place(clinic.schema_name, export_id)
    try:
        storage.prepare(clinic.schema_name)
        with storage.new_file(path) as file:
            archive.write(file, clinic)
        is_ready = _ready(export_id, path)
    except Exception as failed:
        storage.discard(path)
        full = isinstance(failed, OSError) and failed.errno == ENOSPC
        _over(export_id, State.FAILED, failure=FULL if full else BROKEN)
        raise
    if is_ready:
        _tell_owners(Export.objects.get(pk=export_id))
    else:
        storage.discard(path)


def download(export_id: int, *, by: User) -> BinaryIO:
    """The file, open for its one download, and deleted. Of two who ask at once one gets it. Raises NotThere."""
    now, path = timezone.now(), storage.place(current_clinic().schema_name, export_id)
    waiting = Export.objects.filter(pk=export_id, state=State.READY, expires_at__gt=now)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        waiting.update(state=State.FAILED, failure=GONE)
        raise NotThere from None
    try:
        with transaction.atomic():
            if not waiting.update(state=State.FETCHED, fetched_at=now, fetched_by=by.email):
                raise NotThere
            record(Action.EXPORTED, by=by, what="clinic", step="downloaded")
    except BaseException:
        file.close()
        raise
    storage.discard(path)
    return file


def update_states() -> None:
    """Save what has happened by itself: makers that died, files whose seven days are over."""
    for export in Export.objects.filter(state__in=[*Export.UNDER_WAY, State.READY]):
        state = export.state
        if with_current_state(export) and export.state != state:
            _over(export.pk, State(export.state), failure=export.failure, was=State(state))


def end_after_restore() -> None:
    """End what was under way or waited when the backup was made that the clinic is being restored from: its files are
    not there."""
    _end_all(RESTORED)


@receiver([fields_excluded, account_changed])
def end_what_holds_more_than_the_clinic(**_: object) -> None:
    """What is no longer kept is not to be fetched from a file that was made before; exports.tend deletes that."""
    _end_all(CHANGED)


def _end_all(why: str) -> None:
    waiting = Export.objects.filter(state__in=[*Export.UNDER_WAY, State.READY])
    waiting.update(state=State.FAILED, failure=why, finished_at=timezone.now())


def asked_long_ago() -> list[int]:
    """Exports that nobody has begun to make: their message may be lost."""
    since = timezone.now() - timedelta(minutes=2)
    return list(Export.objects.filter(state=State.ASKED, asked_at__lt=since).values_list("pk", flat=True))


def wanted() -> set[int]:
    """The exports whose files are being made or wait to be fetched."""
    return set(Export.objects.filter(state__in=[*Export.UNDER_WAY, State.READY]).values_list("pk", flat=True))


def _has_died(export: Export) -> bool:
    if export.state != State.BEING_MADE or not export.started_at:
        return False
    since = timezone.now() - export.started_at
    if since < STARTS_WITHIN:
        return False
    return since > MAY_TAKE or not storage.is_being_written(storage.place(current_clinic().schema_name, export.pk))


def _ready(export_id: int, path: Path) -> bool:
    """False when it was ended meanwhile."""
    now = timezone.now()
    being_made = Export.objects.filter(pk=export_id, state=State.BEING_MADE)
    ready = {"finished_at": now, "expires_at": now + KEPT_FOR, "size": path.stat().st_size}
    return being_made.update(state=State.READY, **ready) > 0


def _over(export_id: int, state: State, *, failure: str = "", was: State = State.BEING_MADE) -> None:
    held = Export.objects.filter(pk=export_id, state=was)
    held.update(state=state, failure=failure, finished_at=timezone.now())


def _tell_owners(export: Export) -> None:
    """Mail every owner: the one who asked, and those who should know. The page it leads to asks who they are."""
    clinic = current_clinic()
    page = clinic_url(clinic.label, reverse("export", urlconf=settings.ROOT_URLCONF))
    context = {"clinic": clinic, "export": export, "page": page, "days": KEPT_FOR.days}
    subject = render_to_string("exports/email/ready_subject.txt", context).strip()
    body = render_to_string("exports/email/ready.txt", context)
    for email in User.objects.filter(role=Role.OWNER, is_active=True).values_list("email", flat=True):
        try:
            EmailMessage(subject, body, to=[email]).send()
        except (OSError, SMTPException) as failure:
            log.warning("owner_not_mailed", exc_info=failure)
