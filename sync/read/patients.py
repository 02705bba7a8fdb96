"""The read door for pages: one call, one answer, nothing of Cliniko's client or the engine."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection as database
from django.utils import timezone

from sync import field_groups, models
from sync.cliniko.payloads import day, timestamp, required_timestamp, text
from sync.read.records import (
    Alert,
    Appointment,
    Change,
    ClinicFacts,
    PatientRecord,
    PatientSummary,
    Status,
    fields_from,
)
from sync.read.search import search, summary
from tenants.dates import at

__all__ = ["clinic_facts", "get", "search", "summaries"]

STALE_AFTER = timedelta(minutes=10)  # ten ticks missed
_BOOKINGS = (
    ("individual_appointments", "Appointments"),
    ("group_appointments", "Classes"),
    ("attendees", "Classes"),
)
_UNCONNECTED = {"time_zone": "UTC", "patient_word": "patient", "account_subdomain": "", "shard": ""}


def get(cliniko_id: str) -> PatientRecord | None:
    """The patient of this id with alerts and appointments, archived, merged and deleted ones too; None if not here."""
    held = _read(cliniko_id)
    if held is None:
        return None
    lists = held["lists"] or {}
    clinic = _facts(held["connection"])
    first_seen_at = required_timestamp(held, "first_seen_at")
    incomplete = partial(_note, lists=lists, refused=held["refused"], since=first_seen_at, zone=clinic.time_zone)
    coming, past = _appointments(held["bookings"] or [])
    checks = [timestamp(lists.get("patients", {}), "checked_at"), timestamp(held, "refreshed_at")]
    return PatientRecord(
        cliniko_id=cliniko_id,
        clinic=clinic,
        merged_from=tuple(held["family"]),
        date_of_birth=day(held, "date_of_birth"),
        updated_at=required_timestamp(held, "updated_at"),
        archived_at=timestamp(held, "archived_at"),
        deleted_at=timestamp(held, "deleted_at"),
        merged_into=held["merged_into"],
        checked_at=max((time for time in checks if time), default=first_seen_at),
        alerts=tuple(map(_alert, held["alerts"] or [])),
        upcoming=coming,
        past=past,
        alerts_warning=incomplete("medical_alerts", "Alerts"),
        appointments_warning=next(filter(None, (incomplete(*of) for of in _BOOKINGS)), ""),
        not_stored=field_groups.not_stored(held["left_out"] or {}, held["payload"]),
        payload=held["payload"],
        changes=tuple(map(_change, held["changes"] or [])),
        **fields_from(held["payload"]),
    )


def _change(held: dict[str, Any]) -> Change:
    return Change(held["field"], held["before"], held["after"], required_timestamp(held, "changed_at"))


def summaries(cliniko_ids: Iterable[str]) -> dict[str, PatientSummary]:
    """Those of the patients that are here, by id."""
    rows = models.Patient.objects.filter(cliniko_id__in=list(cliniko_ids), deleted_at=None)
    return {row.cliniko_id: summary(row) for row in rows}


def clinic_facts() -> ClinicFacts:
    """What the clinic's Cliniko account says of itself."""
    return _facts(models.Connection.objects.filter(id=1).values(*_UNCONNECTED).first())


def account_since() -> datetime | None:
    """Since when ids are those of the Cliniko account that is mirrored now; None when there was no other."""
    return models.Connection.objects.filter(id=1).values_list("account_since", flat=True).first()


def _facts(held: dict[str, str] | None) -> ClinicFacts:
    held = held or _UNCONNECTED
    subdomain = held["account_subdomain"]
    place = settings.CLINIKO_WEB_URL.replace("{subdomain}", subdomain).replace("{shard}", held["shard"])
    return ClinicFacts(held["time_zone"], held["patient_word"], cliniko_url=place if subdomain else "")


def _note(resource: str, what: str, *, lists: dict[str, Any], refused: list[str], since: datetime, zone: str) -> str:
    """Why a list may lack something, though the patient was checked just now: lists and single reads fail apart."""
    cursor = lists.get(resource, {})
    checked_at = timestamp(cursor, "checked_at")
    if cursor.get("refused_at"):
        return f"{what} cannot be shown: the Cliniko user who made the API key may not read them. Look in Cliniko."
    if resource in refused:
        return f"Not all {what.lower()} could be read. Look in Cliniko."
    if checked_at is None or checked_at < since:
        return f"{what} are still being copied from Cliniko. Until then, look in Cliniko."
    if timezone.now() - checked_at > STALE_AFTER:
        return f"{what} were last copied {at(checked_at, zone)}. Newer ones may be missing: look in Cliniko."
    return ""


def _appointments(bookings: list[dict[str, Any]]) -> tuple[tuple[Appointment, ...], tuple[Appointment, ...]]:
    """Coming ones, soonest first, and past ones, latest first; places in classes among them."""
    told = [_appointment(booking) for booking in bookings]
    now = timezone.now()
    coming = tuple(appointment for appointment in told if (appointment.ends_at or appointment.starts_at) >= now)
    past = tuple(appointment for appointment in reversed(told) if (appointment.ends_at or appointment.starts_at) < now)
    return coming, past


def _alert(held: dict[str, Any]) -> Alert:
    return Alert(held["cliniko_id"], held["name"], required_timestamp(held, "first_seen_at"))


def _appointment(booking: dict[str, Any]) -> Appointment:
    return Appointment(
        cliniko_id=booking["cliniko_id"],
        starts_at=required_timestamp(booking, "starts_at"),
        ends_at=timestamp(booking, "ends_at"),
        practitioner=text(booking, "practitioner"),
        business=text(booking, "business"),
        appointment_type=text(booking, "appointment_type"),
        status=_status(booking),
        cancellation_reason=text(booking, "cancellation_reason"),
        notes=text(booking, "notes"),
    )


def _status(booking: dict[str, Any]) -> Status:
    if booking["cancelled_at"]:
        return "cancelled"
    if booking["missed"]:
        return "did_not_arrive"
    return "arrived" if booking["arrived"] is True else "booked"


# What hangs on a patient who was merged into this one is this one's, whether it was moved yet or not.
# Addresses of an index on patient_id: `= ANY(ARRAY(...))` is looked up, `IN (SELECT ...)` may be joined.
_STATEMENT = """
WITH RECURSIVE family (id) AS (
    SELECT %(id)s::text
    UNION SELECT loser.cliniko_id::text FROM sync_patient AS loser JOIN family ON loser.merged_into = family.id
), booking AS (
    SELECT cliniko_id, starts_at, ends_at, cancelled_at, practitioner_id, business_id, appointment_type_id, payload,
        payload -> 'patient_arrived' AS arrived, payload -> 'did_not_arrive' = 'true' AS missed
    FROM sync_appointment
    WHERE patient_id = ANY(ARRAY(SELECT id FROM family)) AND archived_at IS NULL AND deleted_at IS NULL
    UNION ALL
    SELECT place.cliniko_id, class.starts_at, class.ends_at, place.cancelled_at, class.practitioner_id,
        class.business_id, class.appointment_type_id, place.payload, place.payload -> 'arrived',
        place.payload -> 'arrived' = 'false' OR place.payload -> 'did_not_arrive' = 'true'
    FROM sync_attendee AS place JOIN sync_groupappointment AS class ON class.cliniko_id = place.booking_id
    WHERE place.patient_id = ANY(ARRAY(SELECT id FROM family)) AND place.archived_at IS NULL
        AND place.deleted_at IS NULL AND class.archived_at IS NULL AND class.deleted_at IS NULL
), told AS (
    SELECT booking.cliniko_id, starts_at, ends_at, cancelled_at, arrived, missed, practitioner.name AS practitioner,
        business.name AS business, kind.name AS appointment_type, booking.payload -> 'notes' AS notes,
        booking.payload -> 'cancellation_reason_description' AS cancellation_reason
    FROM booking
    LEFT JOIN sync_practitioner AS practitioner ON practitioner.cliniko_id = practitioner_id
    LEFT JOIN sync_business AS business ON business.cliniko_id = business_id
    LEFT JOIN sync_appointmenttype AS kind ON kind.cliniko_id = appointment_type_id
    ORDER BY starts_at, booking.cliniko_id
), alert AS (
    SELECT cliniko_id, name, first_seen_at FROM sync_medicalalert
    WHERE patient_id = ANY(ARRAY(SELECT id FROM family)) AND archived_at IS NULL AND deleted_at IS NULL
    ORDER BY cliniko_id
), change AS (
    SELECT id, field, before, after, changed_at FROM sync_patientchange WHERE patient_id = %(id)s
), left_out AS (
    SELECT group_name, bool_and(restoring) AS restoring FROM sync_excludedfield GROUP BY group_name
), connection AS (
    SELECT time_zone, patient_word, account_subdomain, shard FROM sync_connection WHERE id = 1
)
SELECT json_build_object(
    'payload', payload, 'date_of_birth', date_of_birth, 'updated_at', updated_at, 'archived_at', archived_at,
    'deleted_at', deleted_at, 'merged_into', merged_into, 'first_seen_at', first_seen_at,
    'family', ARRAY(SELECT id FROM family WHERE id <> %(id)s),
    'refreshed_at', (SELECT checked_at FROM sync_patientrefresh WHERE cliniko_id = %(id)s),
    'refused', ARRAY(SELECT resource FROM sync_refusedpayload WHERE patient_id = %(id)s),
    'lists', (SELECT json_object_agg(resource, json_build_object('checked_at', checked_at, 'refused_at', refused_at))
        FROM sync_cursor),
    'bookings', (SELECT json_agg(told) FROM told),
    'alerts', (SELECT json_agg(alert) FROM alert),
    'left_out', (SELECT json_object_agg(group_name, restoring) FROM left_out),
    'changes', (SELECT json_agg(change ORDER BY id) FROM change),
    'connection', (SELECT row_to_json(connection) FROM connection)
)::text FROM sync_patient WHERE cliniko_id = %(id)s
"""


def _read(cliniko_id: str) -> dict[str, Any] | None:
    """The patient's columns; `lists` by resource, `bookings` soonest first, `alerts`, `changes` oldest first,
    `left_out` the groups of fields that are not kept and whether they are coming back,
    `connection` (None before there is one) and `family`, the ids of those merged into this patient. Times are text as
    in Cliniko's payloads."""
    with database.cursor() as cursor:
        cursor.execute(_STATEMENT, {"id": cliniko_id})
        row = cursor.fetchone()
    return json.loads(row[0]) if row else None
