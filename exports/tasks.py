import structlog
from celery import shared_task
from django.db import DatabaseError

from exports import requests, storage
from tenants.context import NoSuchClinic, clinic_context_for_schema, enter_clinic
from tenants.models import Clinic
from tenants.queues import LONG_QUEUE

log = structlog.get_logger(__name__)


@shared_task(name="exports.create", time_limit=int(requests.MAX_DURATION.total_seconds()))
def create_export(*, schema_name: str, export_id: int) -> None:
    """Create a requested export. Safe to deliver twice."""
    try:
        with clinic_context_for_schema(schema_name):
            requests.create_file(export_id)
    except NoSuchClinic:
        log.warning("task_without_clinic", schema_name=schema_name)


def enqueue(schema_name: str, export_id: int) -> None:
    """Send a requested export to a worker. If the message is lost, `clean_up` sends it again within minutes."""
    create_export.apply_async(kwargs={"schema_name": schema_name, "export_id": export_id}, queue=LONG_QUEUE)


@shared_task(name="exports.clean_up")
def clean_up() -> None:
    """Update states, delete files that no longer belong to an export, and send unstarted exports to a worker again.

    Visits each clinic that has a directory; deletes the directories of unknown and purged clinics.
    """
    for schema_name in storage.list_schemas():
        clinic = Clinic.objects.exclude(state=Clinic.State.PURGED).filter(schema_name=schema_name).first()
        try:
            if clinic is None:
                storage.delete_all(schema_name)
            else:
                _clean_up_clinic(clinic)
        except (DatabaseError, OSError) as error:
            log.error("export_clean_up_failed", schema_name=schema_name, exc_info=error)


def _clean_up_clinic(clinic: Clinic) -> None:
    with enter_clinic(clinic):
        requests.update_states()
        storage.delete_unneeded(clinic.schema_name, requests.needed_files)
        unstarted = requests.find_unstarted() if clinic.is_working else []
    for export_id in unstarted:
        enqueue(clinic.schema_name, export_id)
