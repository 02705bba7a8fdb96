"""An owner requests an export, a worker creates it, and an owner downloads it once."""

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
AVAILABLE_FOR = timedelta(days=7)
START_GRACE = timedelta(seconds=10)  # from state "running" to the lock on the file
MAX_DURATION = timedelta(hours=1)
MAX_WAIT = timedelta(hours=6)
DISK_FULL = "Sidechart's disk is full. Please contact Sidechart support."
INTERNAL_ERROR = "Something went wrong on our side. Please try again, or contact Sidechart support if it fails again."
NEVER_STARTED = "It was never started. Please try again, or contact Sidechart support if it fails again."
WORKER_STOPPED = "The server stopped while creating it. Please try again."
DATA_CHANGED = "The data that Sidechart stores for your clinic changed. Please create a new one."
RESTORED = "The clinic was restored from a backup. Please create a new one."
FILE_MISSING = "Its file is no longer there. Please create a new one."

log = structlog.get_logger(__name__)


class ExportInProgress(Exception):
    """An export is already requested or running."""


class ExportUnavailable(Exception):
    """The export was downloaded, has expired or never existed."""


def latest_export() -> Export | None:
    """Return the export that was requested last, in its current state."""
    return with_current_state(Export.objects.order_by("-pk").first())


def with_current_state(export: Export | None) -> Export | None:
    """Set, without saving, what has happened since: its worker stopped, it never started or it expired."""
    if export and _has_stopped(export):
        export.state, export.failure = State.FAILED, WORKER_STOPPED
    if export and export.state == State.REQUESTED and timezone.now() - export.requested_at > MAX_WAIT:
        export.state, export.failure = State.FAILED, NEVER_STARTED  # a restored row has no message in the queue
    if export and export.state == State.READY and export.expires_at and export.expires_at <= timezone.now():
        export.state = State.EXPIRED
    return export


def request_export(*, by: User) -> Export:
    """Request an export. An earlier one that wasn't downloaded expires.

    Raises ExportInProgress, or OSError if there is no directory for it.
    """
    update_states()
    storage.create_directory(current_clinic().schema_name)
    try:
        with transaction.atomic():
            Export.objects.filter(state=State.READY).update(state=State.EXPIRED)  # exports.clean_up deletes its file
            export = Export.objects.create(requested_by=by.email)
            record(Action.EXPORTED, by=by, what="clinic", step="requested")
    except IntegrityError:
        raise ExportInProgress from None
    return export


def create_file(export_id: int) -> None:
    """Create the file of a requested export and email the owners. Do nothing in any other state."""
    requested = Export.objects.filter(pk=export_id, state=State.REQUESTED)
    if not requested.update(state=State.RUNNING, started_at=timezone.now()):
        return
    clinic = current_clinic()
    path = storage.export_path(clinic.schema_name, export_id)
    try:
        storage.create_directory(clinic.schema_name)
        with storage.write_atomically(path) as file:
            archive.write(file, clinic)
        is_ready = _mark_ready(export_id, path)
    except Exception as error:
        storage.delete(path)
        disk_full = isinstance(error, OSError) and error.errno == ENOSPC
        _finish(export_id, State.FAILED, failure=DISK_FULL if disk_full else INTERNAL_ERROR)
        raise
    if is_ready:
        _email_owners(Export.objects.get(pk=export_id))
    else:
        storage.delete(path)


def download(export_id: int, *, by: User) -> BinaryIO:
    """Return the open file, deleted from disk. Of two simultaneous downloads one gets it.

    Raises ExportUnavailable.
    """
    now, path = timezone.now(), storage.export_path(current_clinic().schema_name, export_id)
    ready = Export.objects.filter(pk=export_id, state=State.READY, expires_at__gt=now)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        ready.update(state=State.FAILED, failure=FILE_MISSING)
        raise ExportUnavailable from None
    try:
        with transaction.atomic():
            if not ready.update(state=State.DOWNLOADED, downloaded_at=now, downloaded_by=by.email):
                raise ExportUnavailable
            record(Action.EXPORTED, by=by, what="clinic", step="downloaded")
    except BaseException:
        file.close()
        raise
    storage.delete(path)
    return file


def update_states() -> None:
    """Save the state of exports whose worker stopped, that never started or that expired."""
    for export in Export.objects.filter(state__in=[*Export.IN_PROGRESS, State.READY]):
        before = State(export.state)
        if with_current_state(export) and export.state != before:
            _finish(export.pk, State(export.state), failure=export.failure, before=before)


def fail_all_after_restore() -> None:
    """Fail the exports that were in progress or ready when the backup was made: their files aren't in it."""
    _fail_all(RESTORED)


@receiver([fields_excluded, account_changed])
def fail_all_after_change(**_: object) -> None:
    """Fail exports with data that the clinic no longer stores. exports.clean_up deletes their files."""
    _fail_all(DATA_CHANGED)


def _fail_all(failure: str) -> None:
    unfinished = Export.objects.filter(state__in=[*Export.IN_PROGRESS, State.READY])
    unfinished.update(state=State.FAILED, failure=failure, finished_at=timezone.now())


def find_unstarted() -> list[int]:
    """Return the ids of exports that no worker has started within two minutes: their message may be lost."""
    since = timezone.now() - timedelta(minutes=2)
    return list(Export.objects.filter(state=State.REQUESTED, requested_at__lt=since).values_list("pk", flat=True))


def needed_files() -> set[int]:
    """Return the ids of exports that are in progress or ready."""
    return set(Export.objects.filter(state__in=[*Export.IN_PROGRESS, State.READY]).values_list("pk", flat=True))


def _has_stopped(export: Export) -> bool:
    if export.state != State.RUNNING or not export.started_at:
        return False
    elapsed = timezone.now() - export.started_at
    if elapsed < START_GRACE:
        return False
    path = storage.export_path(current_clinic().schema_name, export.pk)
    return elapsed > MAX_DURATION or not storage.is_being_written(path)


def _mark_ready(export_id: int, path: Path) -> bool:
    """Return False if the export was failed while it was running."""
    now = timezone.now()
    running = Export.objects.filter(pk=export_id, state=State.RUNNING)
    ready = {"finished_at": now, "expires_at": now + AVAILABLE_FOR, "size": path.stat().st_size}
    return running.update(state=State.READY, **ready) > 0


def _finish(export_id: int, state: State, *, failure: str = "", before: State = State.RUNNING) -> None:
    unchanged = Export.objects.filter(pk=export_id, state=before)
    unchanged.update(state=state, failure=failure, finished_at=timezone.now())


def _email_owners(export: Export) -> None:
    """Email every owner, so that no export goes unnoticed. The link leads to the page, where they sign in."""
    clinic = current_clinic()
    page = clinic_url(clinic.label, reverse("export", urlconf=settings.ROOT_URLCONF))
    context = {"clinic": clinic, "export": export, "page": page, "days": AVAILABLE_FOR.days}
    subject = render_to_string("exports/email/ready_subject.txt", context).strip()
    body = render_to_string("exports/email/ready.txt", context)
    for email in User.objects.filter(role=Role.OWNER, is_active=True).values_list("email", flat=True):
        try:
            EmailMessage(subject, body, to=[email]).send()
        except (OSError, SMTPException) as error:
            log.warning("export_email_failed", exc_info=error)
