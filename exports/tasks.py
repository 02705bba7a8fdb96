"""Doors for Celery: one export is made, and what is over is cleared away."""

import structlog
from celery import shared_task
from django.db import DatabaseError

from exports import requests, storage
from sync.tasks import LONG_QUEUE
from tenants.context import NoSuchClinic, clinic_of_schema, enter_clinic
from tenants.models import Clinic

log = structlog.get_logger(__name__)


@shared_task(name="exports.make", time_limit=int(requests.MAY_TAKE.total_seconds()))
def make(*, schema_name: str, export_id: int) -> None:
    """Make one export. Given twice it is made once; a worker that dies leaves a row that says so."""
    try:
        with clinic_of_schema(schema_name):
            requests.make(export_id)
    except NoSuchClinic:
        log.warning("task_without_clinic", schema_name=schema_name)


def enqueue(schema_name: str, export_id: int) -> None:
    """Wake a worker for an export that was asked for. A lost message costs a few minutes: see `tend`."""
    make.apply_async(kwargs={"schema_name": schema_name, "export_id": export_id}, queue=LONG_QUEUE)


@shared_task(name="exports.tend")
def clean_up() -> None:
    """At each clinic that has files: note what died or expired, delete what nobody will fetch, wake who was not woken.
    The folders of clinics that are no longer there go whole."""
    for schema_name in storage.folders():
        clinic = Clinic.objects.exclude(state=Clinic.State.PURGED).filter(schema_name=schema_name).first()
        try:
            if clinic is None:
                storage.remove_all(schema_name)
            else:
                _clean_up(clinic)
        except (DatabaseError, OSError) as failed:
            log.error("exports_not_tended", schema_name=schema_name, exc_info=failed)


def _clean_up(clinic: Clinic) -> None:
    with enter_clinic(clinic):
        requests.update_states()
        storage.sweep(clinic.schema_name, requests.wanted)
        forgotten = requests.asked_long_ago() if clinic.is_working else []
    for export_id in forgotten:
        enqueue(clinic.schema_name, export_id)
