"""Celery tasks: each names a clinic by its schema, enters it and makes one call."""

from datetime import datetime, timedelta

import structlog
from celery import current_app, shared_task
from django.conf import settings
from django.db import connection
from django.utils import timezone

from sync import retention
from sync.connection import state as connection_state
from sync.metrics import LAST_TICK
from sync.read.status import current
from sync.walk import run as walk_run
from sync.walk.run import SliceOutcome
from tenants import rate_limits
from tenants.context import NoSuchClinic, clinic_context_for_schema
from tenants.models import Clinic
from tenants.queues import LONG_QUEUE, SHORT_QUEUE

# A blocked clinic is still checked, which costs nothing: no wake-up can be lost for good.
BLOCKED_INTERVAL = timedelta(hours=1)
LOST_MESSAGE_TIMEOUT = timedelta(minutes=10)
log = structlog.get_logger(__name__)


@shared_task(name="sync.tick")
def tick() -> None:
    """Wake a worker for every clinic that is due. The database says which, so a lost message costs one interval."""
    with current_app.producer_pool.acquire(block=True) as producer:
        for schema_name, has_more in take_due_clinics():
            queue = LONG_QUEUE if has_more else SHORT_QUEUE
            sync_clinic.apply_async(kwargs={"schema_name": schema_name}, producer=producer, queue=queue)
    LAST_TICK.set_to_current_time()


def take_due_clinics() -> list[tuple[str, bool]]:
    """Return the schemas of the clinics that are due, each with whether it has more work.

    The same statement sets when they are due next.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_clinic"
            " SET sync_due_at = statement_timestamp() + make_interval(secs => %s) * (0.9 + 0.1 * random())"
            " WHERE state = ANY(%s) AND coalesce(closing_on > statement_timestamp()::date, true)"
            " AND sync_due_at <= statement_timestamp() RETURNING schema_name, has_more",
            [settings.SYNC_INTERVAL_SECONDS, list(Clinic.WORKING)],
        )
        due: list[tuple[str, bool]] = cursor.fetchall()
        return due


@shared_task(name="sync.clinic")
def sync_clinic(*, schema_name: str) -> None:
    """Sync one clinic for a slice. If there is more to do, queue the rest at the end of the long queue."""
    try:
        with clinic_context_for_schema(schema_name):
            outcome = walk_run.run_slice(seconds=settings.SYNC_SLICE_SECONDS, pages=settings.SYNC_SLICE_PAGES)
            if outcome.blocked:
                connection_state.notify_owners()
            status = current()
    except NoSuchClinic:
        log.warning("task_without_clinic", schema_name=schema_name)
        return
    Clinic.objects.filter(schema_name=schema_name).update(
        sync_state=status.state,
        key_state=status.key_state,
        checked_at=status.checked_at,
        has_more=outcome.has_more or status.checked_at is None,
    )
    _schedule_next(schema_name, outcome)


def _schedule_next(schema_name: str, outcome: SliceOutcome) -> None:
    now = timezone.now()
    if outcome.resume_at or outcome.blocked:
        postpone(schema_name, outcome.resume_at or now + BLOCKED_INTERVAL)
    elif outcome.has_more:
        # The rest has its own message, and ticks would only queue duplicates. If that message is lost, the clinic is
        # due again after the timeout.
        postpone(schema_name, now + LOST_MESSAGE_TIMEOUT)
        sync_clinic.apply_async(kwargs={"schema_name": schema_name}, queue=LONG_QUEUE)


@shared_task(name="sync.delete_expired")
def delete_expired() -> None:
    """Queue the deletion of expired data for every working clinic, and delete the rate limits of unused keys.

    A lost message costs a day.
    """
    rate_limits.delete_unused()
    working = Clinic.objects.working().values_list("schema_name", flat=True)
    with current_app.producer_pool.acquire(block=True) as producer:
        for schema_name in working:
            kwargs = {"schema_name": schema_name}
            delete_expired_in_clinic.apply_async(kwargs=kwargs, producer=producer, queue=SHORT_QUEUE)


@shared_task(name="sync.delete_expired_in_clinic")
def delete_expired_in_clinic(*, schema_name: str) -> None:
    """Delete one clinic's data whose retention period is over."""
    try:
        with clinic_context_for_schema(schema_name):
            retention.delete_expired()
    except NoSuchClinic:
        log.warning("task_without_clinic", schema_name=schema_name)


def postpone(schema_name: str, until: datetime) -> None:
    """Set when the clinic is due next, unless it has been marked as due in the meantime."""
    if until > timezone.now():
        Clinic.objects.filter(schema_name=schema_name, sync_due_at__gt=timezone.now()).update(sync_due_at=until)


def mark_due(schema_name: str) -> None:
    """Mark a clinic as due for sync. For callers in the public schema; inside a clinic: tenants.registry.mark_due."""
    Clinic.objects.filter(schema_name=schema_name).update(sync_due_at=timezone.now())
