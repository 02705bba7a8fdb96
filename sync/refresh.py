"""Re-reading one patient on a launch, through the same write path as every page."""

from contextlib import closing

from django.db import connection as database
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from sync.cliniko.client import Cliniko
from sync.cliniko.errors import ClinikoError, KeyForbidden, KeyInvalid, NotFilterable, RateLimited
from sync.cliniko.payloads import linked_id
from sync.connection import state as connection_state
from sync.connection.outcome import Outcome, blocked, outcome_of
from sync.models import Connection, Cursor, MedicalAlert, PatientRefresh, RefusedPayload
from sync.resources import ALERTS, PATIENTS
from sync.walk.single import fetch_single
from sync.walk.store import mark_deleted, next_sequence, write_page

__all__ = ["Outcome", "refresh_patient"]

# One request for a patient at a time, however many ask, and none so soon after the last that nobody can have edited.
UNANSWERED_SECONDS = 5
ANSWERED_SECONDS = 2


def refresh_patient(cliniko_id: str, *, timeout: float = 2.5) -> Outcome:
    """Ask Cliniko for this patient and their medical alerts once and store the answers. Takes about `timeout` seconds
    at the most; never raises for what Cliniko does."""
    known = blocked()
    if known:
        return known
    if not _claim(cliniko_id):
        return Outcome.BUSY
    held = connection_state.load()
    try:
        with closing(connection_state.open_client(timeout=timeout / 2, purpose="launches")) as client:
            return _reread(client, cliniko_id, held)
    except (KeyInvalid, RateLimited) as failure:
        connection_state.record_failure(
            failure, held
        )  # these hold for every request; a slow answer holds for this one alone
        return outcome_of(failure)
    except ClinikoError as failure:
        return outcome_of(failure)


def _reread(client: Cliniko, cliniko_id: str, held: Connection) -> Outcome:
    found = fetch_single(client, PATIENTS, cliniko_id)
    connection_state.record_answer(held)
    payload = found.payload
    if payload is None:
        return _mark_missing(cliniko_id, found.sequence, held)
    if str(payload.get("id")) != cliniko_id:
        return Outcome.UNREACHABLE
    with transaction.atomic():
        if not connection_state.key_is_unchanged(held):
            return Outcome.BUSY
        write_page(PATIENTS, [payload], sequence=found.sequence)
        if RefusedPayload.objects.filter(resource=PATIENTS.name, cliniko_id=cliniko_id).exists():
            return Outcome.UNREADABLE
    merged = bool(linked_id(payload, "merged_with_patient"))
    if _reread_alerts(client, cliniko_id, held, moved_on=merged):
        PatientRefresh.objects.filter(cliniko_id=cliniko_id).update(checked_at=timezone.now())
    return Outcome.FRESH


def _reread_alerts(client: Cliniko, patient_id: str, held: Connection, *, moved_on: bool) -> bool:
    """Whether the mirror holds the patient's alerts as they are now: nobody is "checked" without them.

    What hung on a patient who was merged has moved on to the survivor and is not gone, though it is not listed here.
    """
    sequence = next_sequence()
    try:
        page = client.list(ALERTS.name, filters=(f"patient_id:={patient_id}", "archived_at:*"), sort="id:asc")
    except KeyForbidden:
        # Fine where the screen says already that alerts cannot be shown; news of it comes with the next tick.
        return Cursor.objects.filter(resource=ALERTS.name).exclude(refused_at=None).exists()
    except NotFilterable:
        return False  # the next tick brings them
    with transaction.atomic():
        if not connection_state.key_is_unchanged(held):
            return False
        write_page(ALERTS, page.records, sequence=sequence)
        if not page.has_more and not moved_on:
            listed = [str(record.get("id")) for record in page.records]
            gone = MedicalAlert.objects.filter(patient_id=patient_id, deleted_at=None, sequence__lt=sequence)
            gone.exclude(cliniko_id__in=listed).update(deleted_at=timezone.now(), sequence=sequence, written_at=Now())
    return True


def _claim(cliniko_id: str) -> bool:
    """True for one caller at a time, decided by the database."""
    table = database.ops.quote_name(PatientRefresh._meta.db_table)
    with database.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} AS held (cliniko_id, started_at) VALUES (%s, clock_timestamp())"  # noqa: S608 - our own table
            " ON CONFLICT (cliniko_id) DO UPDATE SET started_at = excluded.started_at"
            " WHERE held.started_at < clock_timestamp() - make_interval(secs => %s)"
            " OR held.checked_at >= held.started_at"
            " AND held.started_at < clock_timestamp() - make_interval(secs => %s)",
            [cliniko_id, UNANSWERED_SECONDS, ANSWERED_SECONDS],
        )
        return cursor.rowcount == 1


def _mark_missing(cliniko_id: str, sequence: int, held: Connection) -> Outcome:
    with transaction.atomic():
        if connection_state.key_is_unchanged(held):
            mark_deleted(PATIENTS, [cliniko_id], sequence=sequence)
    # An id that Cliniko does not know leaves no row behind, or any website could fill the table by launching.
    PatientRefresh.objects.filter(cliniko_id=cliniko_id).delete()
    return Outcome.UNKNOWN
