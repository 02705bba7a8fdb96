"""Doors for Celery: every night each clinic's log is read again, whether it is what was written."""

import structlog
from celery import current_app, shared_task

from audit import watch
from audit.log import ChainCheck
from tenants.models import Clinic

log = structlog.get_logger(__name__)


@shared_task(name="audit.check")
def check() -> None:
    """Check the log of ops, and have that of every clinic, suspended ones too, checked. A lost message costs a day."""
    _tell(watch.verify_operator_log(), clinic="")
    clinics = Clinic.objects.exclude(state=Clinic.State.PURGED).values_list("schema_name", flat=True)
    with current_app.producer_pool.acquire(block=True) as producer:
        for schema_name in clinics:
            check_clinic.apply_async(kwargs={"schema_name": schema_name}, producer=producer)


@shared_task(name="audit.check_clinic")
def check_clinic(*, schema_name: str) -> None:
    """Check the log of one clinic, and say in our own logs what was found: whoever has the rights of the database alone
    cannot rewrite these."""
    clinic = Clinic.objects.exclude(state=Clinic.State.PURGED).filter(schema_name=schema_name).first()
    if clinic is None:
        log.warning("task_without_clinic", schema_name=schema_name)
        return
    _tell(watch.verify_and_record(clinic), clinic=clinic.label)


def _tell(chain: ChainCheck, *, clinic: str) -> None:
    if chain.broken_at is None:
        log.info("audit_chain_held", clinic=clinic, length=chain.length, head=chain.head)
    else:
        log.error("audit_chain_broken", clinic=clinic, line=chain.broken_at)
