"""What ops have done by the clock."""

import structlog
from celery import current_app, shared_task
from django.utils import timezone

from ops import lifecycle
from ops.monitoring import daily_stats
from tenants.models import Clinic

log = structlog.get_logger(__name__)
MEASURED_EVERY = 300  # seconds


@shared_task(name="ops.remind_closing")
def remind_closing() -> None:
    """Remind the owners of clinics that close soon. A lost message costs a day at most: the next one makes it up."""
    for clinic in Clinic.objects.working().filter(state=Clinic.State.CLOSING):
        lifecycle.remind(clinic)


@shared_task(name="ops.measure")
def measure() -> None:
    """Have the numbers of every working clinic noted, one short message each. What is lost is made up the next time."""
    daily_stats.forget()
    working = Clinic.objects.working().values_list("schema_name", flat=True)
    with current_app.producer_pool.acquire(block=True) as producer:
        for schema_name in working:
            measure_clinic.apply_async(kwargs={"schema_name": schema_name}, producer=producer, expires=MEASURED_EVERY)


@shared_task(name="ops.measure_clinic")
def measure_clinic(*, schema_name: str) -> None:
    """Note the numbers of one clinic."""
    clinic = Clinic.objects.working().filter(schema_name=schema_name).first()
    if clinic is None:
        log.warning("task_without_clinic", schema_name=schema_name)
        return
    daily_stats.measure(clinic, now=timezone.now())
