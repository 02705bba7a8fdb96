"""Celery tasks for operators: closing reminders and daily statistics."""

import structlog
from celery import current_app, shared_task
from django.utils import timezone

from ops import lifecycle
from ops.monitoring import daily_stats
from tenants.models import Clinic

log = structlog.get_logger(__name__)
MEASURE_INTERVAL = 300  # seconds


@shared_task(name="ops.remind_closing")
def remind_closing() -> None:
    """Remind the owners of clinics that close soon. If a message is lost, the next one catches up."""
    for clinic in Clinic.objects.working().filter(state=Clinic.State.CLOSING):
        lifecycle.send_due_reminder(clinic)


@shared_task(name="ops.measure")
def measure() -> None:
    """Delete old statistics and queue `measure_clinic` for every working clinic. A lost message costs five minutes."""
    daily_stats.delete_old()
    working = Clinic.objects.working().values_list("schema_name", flat=True)
    with current_app.producer_pool.acquire(block=True) as producer:
        for schema_name in working:
            measure_clinic.apply_async(kwargs={"schema_name": schema_name}, producer=producer, expires=MEASURE_INTERVAL)


@shared_task(name="ops.measure_clinic")
def measure_clinic(*, schema_name: str) -> None:
    """Record one clinic's figures for today."""
    clinic = Clinic.objects.working().filter(schema_name=schema_name).first()
    if clinic is None:
        log.warning("task_without_clinic", schema_name=schema_name)
        return
    daily_stats.measure(clinic, now=timezone.now())
