"""Re-read one patient from Cliniko when staff open them, through the same write path as every page of a list."""

from contextlib import closing

from django.db import connection as database
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from sync.cliniko.client import Cliniko
from sync.cliniko.errors import ClinikoError, KeyForbidden, NotFilterable
from sync.cliniko.payloads import linked_id
from sync.connection import state as connection_state
from sync.connection.outcome import Outcome, blocked, record_outcome
from sync.models import Connection, Cursor, MedicalAlert, PatientRefresh, RefusedPayload
from sync.resources import ALERTS, PATIENTS
from sync.walk.single import fetch_single
from sync.walk.store import mark_deleted, next_sequence, write_page

__all__ = ["Outcome", "refresh_patient"]

# One request per patient at a time, and none so soon after the last that no one can have edited the patient.
UNANSWERED_SECONDS = 5
ANSWERED_SECONDS = 2


def refresh_patient(cliniko_id: str, *, timeout: float = 2.5) -> Outcome:
    """Read the patient and their medical alerts from Cliniko and store them. Takes about `timeout` seconds at most.
    Cliniko's errors are returned as an Outcome, never raised."""
    if known := blocked():
        return known
    if not _claim(cliniko_id):
        return Outcome.BUSY
    connection = connection_state.load()
    try:
        with closing(connection_state.open_client(timeout=timeout / 2, purpose="launches")) as client:
            return _refresh(client, cliniko_id, connection)
    except ClinikoError as failure:
        return record_outcome(failure, connection)


def _claim(cliniko_id: str) -> bool:
    """Return True for one caller at a time, decided by the database."""
    table = database.ops.quote_name(PatientRefresh._meta.db_table)
    with database.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} AS latest (cliniko_id, started_at) VALUES (%s, clock_timestamp())"  # noqa: S608 - our own table
            " ON CONFLICT (cliniko_id) DO UPDATE SET started_at = excluded.started_at"
            " WHERE latest.started_at < clock_timestamp() - make_interval(secs => %s)"
            " OR latest.checked_at >= latest.started_at"
            " AND latest.started_at < clock_timestamp() - make_interval(secs => %s)",
            [cliniko_id, UNANSWERED_SECONDS, ANSWERED_SECONDS],
        )
        return bool(cursor.rowcount == 1)


def _refresh(client: Cliniko, cliniko_id: str, connection: Connection) -> Outcome:
    found = fetch_single(client, PATIENTS, cliniko_id)
    connection_state.record_key_accepted(connection)
    payload = found.payload
    if payload is None:
        with transaction.atomic():
            if connection_state.key_is_unchanged(connection):
                mark_deleted(PATIENTS, [cliniko_id], sequence=found.sequence)
        # Keep no row for an id that Cliniko doesn't know, or any website could fill the table with launches.
        PatientRefresh.objects.filter(cliniko_id=cliniko_id).delete()
        return Outcome.UNKNOWN
    if str(payload.get("id")) != cliniko_id:
        return Outcome.UNREACHABLE
    with transaction.atomic():
        if not connection_state.key_is_unchanged(connection):
            return Outcome.BUSY
        write_page(PATIENTS, [payload], sequence=found.sequence)
        if RefusedPayload.objects.filter(resource=PATIENTS.name, cliniko_id=cliniko_id).exists():
            return Outcome.UNREADABLE
    merged = bool(linked_id(payload, "merged_with_patient"))
    if _refresh_alerts(client, cliniko_id, connection, merged=merged):
        PatientRefresh.objects.filter(cliniko_id=cliniko_id).update(checked_at=timezone.now())
    return Outcome.FRESH


def _refresh_alerts(client: Cliniko, patient_id: str, connection: Connection, *, merged: bool) -> bool:
    """Return whether the patient's alerts are up to date: without them a patient doesn't count as checked. A merged
    patient's alerts are listed with the surviving patient, so missing ones aren't deleted."""
    sequence = next_sequence()
    try:
        page = client.list(ALERTS.name, filters=(f"patient_id:={patient_id}", "archived_at:*"), sort="id:asc")
    except KeyForbidden:
        # Fine if the screen already warns that alerts can't be shown. Otherwise the next tick finds out.
        return Cursor.objects.filter(resource=ALERTS.name).exclude(refused_at=None).exists()
    except NotFilterable:
        return False  # the next tick reads them
    with transaction.atomic():
        if not connection_state.key_is_unchanged(connection):
            return False
        write_page(ALERTS, page.records, sequence=sequence)
        if not page.has_more and not merged:
            listed = [str(record.get("id")) for record in page.records]
            gone = MedicalAlert.objects.filter(patient_id=patient_id, deleted_at=None, sequence__lt=sequence)
            gone.exclude(cliniko_id__in=listed).update(deleted_at=timezone.now(), sequence=sequence, written_at=Now())
    return True
