"""Doors for Celery: a task names a clinic by its schema, enters it and makes one call."""

from datetime import datetime, timedelta

import structlog
from celery import shared_task
from django.conf import settings
from django.db import connection
from django.utils import timezone

from sync import mirror
from sync.models import Run
from tenants.context import NoSuchClinic, clinic_of_schema, in_every_clinic
from tenants.models import Clinic

# A clinic that waits for somebody to act is looked at all the same, at no cost: no wake-up can be lost for good.
LOOK_AGAIN_AFTER = timedelta(hours=1)
RUNS_KEPT_FOR = timedelta(days=30)
log = structlog.get_logger(__name__)


@shared_task(name="sync.tick")
def tick() -> None:
    """Wake a worker for every clinic that is due. The database says which, so a lost message costs one interval."""
    for schema_name in take_due_clinics():
        sync_clinic.delay(schema_name=schema_name)


def take_due_clinics() -> list[str]:
    """The schemas of the clinics that are due, moved on to their next time in the same statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_clinic"
            " SET sync_due_at = statement_timestamp() + make_interval(secs => %s) * (0.9 + 0.1 * random())"
            " WHERE state = %s AND sync_due_at <= statement_timestamp() RETURNING schema_name",
            [settings.SYNC_INTERVAL_SECONDS, Clinic.State.ACTIVE],
        )
        return [row[0] for row in cursor.fetchall()]


@shared_task(name="sync.clinic")
def sync_clinic(*, schema_name: str) -> None:
    """Give one clinic a slice of this worker; a clinic that needs more goes to the end of the queue."""
    try:
        with clinic_of_schema(schema_name):
            outcome = mirror.take_turn(seconds=settings.SYNC_SLICE_SECONDS, pages=settings.SYNC_SLICE_PAGES)
    except NoSuchClinic:
        log.warning("task_without_clinic", schema_name=schema_name)
        return
    if outcome.more:
        # The rest has its own message: ticks meanwhile would only queue up more of the same.
        postpone(schema_name, timezone.now() + timedelta(seconds=settings.SYNC_INTERVAL_SECONDS))
        sync_clinic.delay(schema_name=schema_name)
    elif outcome.not_before or outcome.never:
        postpone(schema_name, outcome.not_before or timezone.now() + LOOK_AGAIN_AFTER)


@shared_task(name="sync.forget_runs")
def forget_runs() -> None:
    """Delete the history of runs older than a month, in every active clinic."""
    in_every_clinic(forget_runs_here)


def forget_runs_here() -> None:
    Run.objects.filter(started_at__lt=timezone.now() - RUNS_KEPT_FOR).delete()


def postpone(schema_name: str, until: datetime) -> None:
    """Leave the clinic alone until then, never sooner than its next turn."""
    if until > timezone.now():
        Clinic.objects.filter(schema_name=schema_name).update(sync_due_at=until)


def wake(schema_name: str) -> None:
    """Make the clinic due now. The caller stands in public."""
    Clinic.objects.filter(schema_name=schema_name).update(sync_due_at=timezone.now())
