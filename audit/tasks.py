"""The nightly Celery tasks that verify every audit log."""

import structlog
from celery import current_app, shared_task

from audit import verification
from audit.log import ChainCheck, verify_chain
from tenants.models import Clinic

log = structlog.get_logger(__name__)


@shared_task(name="audit.check")
def check() -> None:
    """Verify the operators' log and queue a check of every clinic's, suspended ones included.

    A lost message delays that clinic's check by a day.
    """
    # Only our process logs reveal that events were cut off the end of the operators' log.
    _log_result(verify_chain(), clinic="")
    clinics = Clinic.objects.exclude(state=Clinic.State.PURGED).values_list("schema_name", flat=True)
    with current_app.producer_pool.acquire(block=True) as producer:
        for schema_name in clinics:
            check_clinic.apply_async(kwargs={"schema_name": schema_name}, producer=producer)


@shared_task(name="audit.check_clinic")
def check_clinic(*, schema_name: str) -> None:
    """Verify one clinic's log. The result also goes to our process logs, which database rights alone can't rewrite."""
    clinic = Clinic.objects.exclude(state=Clinic.State.PURGED).filter(schema_name=schema_name).first()
    if clinic is None:
        log.warning("task_without_clinic", schema_name=schema_name)
        return
    _log_result(verification.verify_and_record(clinic), clinic=clinic.label)


def _log_result(chain: ChainCheck, *, clinic: str) -> None:
    if chain.broken_at is None:
        log.info("audit_chain_valid", clinic=clinic, length=chain.length, head=chain.head)
    else:
        log.error("audit_chain_broken", clinic=clinic, event_id=chain.broken_at)
