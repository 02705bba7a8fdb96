"""Doors for Celery: a task names a clinic by its schema, enters it and makes one call."""

from datetime import datetime, timedelta

import structlog
from celery import current_app, shared_task
from django.conf import settings
from django.db import connection
from django.utils import timezone

from sync import retention
from sync.connection import state as cliniko_connection
from sync.metrics import LAST_TICK
from sync.read.status import current
from sync.walk import run as walk_run
from sync.walk.run import SliceOutcome
from tenants import rate_limits
from tenants.context import NoSuchClinic, clinic_of_schema
from tenants.models import Clinic

# A clinic that waits for somebody to act is looked at all the same, at no cost: no wake-up can be lost for good.
BLOCKED_INTERVAL = timedelta(hours=1)
LOST_MESSAGE_TIMEOUT = timedelta(minutes=10)
# Imports and work that goes on wait in a line of their own, which workers serve in turn with the other: an import,
# however long, keeps no other clinic's tick waiting for more than a slice, and of many imports each has its turn.
SHORT_QUEUE, LONG_QUEUE = "celery", "long"
log = structlog.get_logger(__name__)


@shared_task(name="sync.tick")
def tick() -> None:
    """Wake a worker for every clinic that is due. The database says which, so a lost message costs one interval."""
    with current_app.producer_pool.acquire(block=True) as producer:
        for schema_name, has_more in take_due_clinics():
            line = LONG_QUEUE if has_more else SHORT_QUEUE
            sync_clinic.apply_async(kwargs={"schema_name": schema_name}, producer=producer, queue=line)
    LAST_TICK.is_now()


def take_due_clinics() -> list[tuple[str, bool]]:
    """The schemas of the clinics that are due, moved on to their next time in the same statement, and whether each
    has long work to go on with."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_clinic"
            " SET sync_due_at = statement_timestamp() + make_interval(secs => %s) * (0.9 + 0.1 * random())"
            " WHERE state = ANY(%s) AND coalesce(closing_on > statement_timestamp()::date, true)"
            " AND sync_due_at <= statement_timestamp() RETURNING schema_name, has_more",
            [settings.SYNC_INTERVAL_SECONDS, list(Clinic.WORKING)],
        )
        return cursor.fetchall()


@shared_task(name="sync.clinic")
def sync_clinic(*, schema_name: str) -> None:
    """Give one clinic a slice of this worker; a clinic that needs more goes to the end of the line for long work."""
    try:
        with clinic_of_schema(schema_name):
            turn = walk_run.run_slice(seconds=settings.SYNC_SLICE_SECONDS, pages=settings.SYNC_SLICE_PAGES)
            if turn.never:
                cliniko_connection.notify_owners()
            now = current()
    except NoSuchClinic:
        log.warning("task_without_clinic", schema_name=schema_name)
        return
    Clinic.objects.filter(schema_name=schema_name).update(
        sync_state=now.state,
        key_state=now.key_state,
        checked_at=now.checked_at,
        has_more=turn.more or now.checked_at is None,
    )
    _schedule_next(schema_name, turn)


def _schedule_next(schema_name: str, turn: SliceOutcome) -> None:
    now = timezone.now()
    if turn.not_before or turn.never:
        postpone(schema_name, turn.not_before or now + BLOCKED_INTERVAL)
    elif turn.more:
        # The rest has its own message, and ticks meanwhile would only queue up more of the same. Should that message
        # be lost, the clinic is due again all the same.
        postpone(schema_name, now + LOST_MESSAGE_TIMEOUT)
        sync_clinic.apply_async(kwargs={"schema_name": schema_name}, queue=LONG_QUEUE)


@shared_task(name="sync.forget")
def delete_expired() -> None:
    """Have every working clinic forget its old history, and forget the counts of keys that are no longer used. A lost
    message costs a day."""
    rate_limits.delete_unused()
    working = Clinic.objects.working().values_list("schema_name", flat=True)
    with current_app.producer_pool.acquire(block=True) as producer:
        for schema_name in working:
            kwargs = {"schema_name": schema_name}
            delete_expired_in_clinic.apply_async(kwargs=kwargs, producer=producer, queue=SHORT_QUEUE)


@shared_task(name="sync.forget_in_clinic")
def delete_expired_in_clinic(*, schema_name: str) -> None:
    """Remove what one clinic keeps no longer."""
    try:
        with clinic_of_schema(schema_name):
            retention.delete_expired()
    except NoSuchClinic:
        log.warning("task_without_clinic", schema_name=schema_name)


def postpone(schema_name: str, until: datetime) -> None:
    """Leave the clinic alone until then, unless somebody woke it meanwhile."""
    if until > timezone.now():
        Clinic.objects.filter(schema_name=schema_name, sync_due_at__gt=timezone.now()).update(sync_due_at=until)


def mark_due(schema_name: str) -> None:
    """Make the clinic due now. The caller stands in public."""
    Clinic.objects.filter(schema_name=schema_name).update(sync_due_at=timezone.now())
