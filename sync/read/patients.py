"""Read patients for pages: one statement per record, frozen values out."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypedDict

from django.conf import settings
from django.db import connection as database
from django.utils import timezone

from sync import field_groups, models
from sync.read.payload import day, stored_timestamp, text
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
from sync.read.search import SUMMARY_COLUMNS, search, summary
from tenants.dates import at

__all__ = ["account_since", "clinic_facts", "get", "search", "summaries"]

STALE_AFTER = timedelta(minutes=10)  # ten missed ticks
_APPOINTMENT_LISTS = (
    ("individual_appointments", "Appointments"),
    ("group_appointments", "Group appointments"),
    ("attendees", "Group appointments"),
)


_NOT_CONNECTED = {"time_zone": "UTC", "patient_word": "patient", "account_subdomain": "", "shard": ""}
_Row = dict[str, Any]


class _PatientRow(TypedDict):
    """The JSON object that _STATEMENT returns. Times are ISO 8601 text; empty lists and objects are None."""

    payload: dict[str, Any]
    date_of_birth: str | None
    updated_at: str
    archived_at: str | None
    deleted_at: str | None
    merged_into: str | None
    merged_from: list[str]
    first_seen_at: str
    refreshed_at: str | None
    unreadable: list[str]
    lists: dict[str, dict[str, str | None]] | None
    bookings: list[_Row] | None
    alerts: list[_Row] | None
    excluded: dict[str, bool] | None
    changes: list[_Row] | None
    connection: dict[str, str] | None


def get(cliniko_id: str) -> PatientRecord | None:
    """Return the patient, also if archived, merged or deleted; None if the mirror doesn't have them."""
    with database.cursor() as cursor:
        cursor.execute(_STATEMENT, {"id": cliniko_id})
        found = cursor.fetchone()
    if found is None:
        return None
    row: _PatientRow = json.loads(found[0])
    clinic = _facts(row["connection"])
    first_seen_at = stored_timestamp(row["first_seen_at"])
    checks = (row["refreshed_at"], (row["lists"] or {}).get("patients", {}).get("checked_at"))
    upcoming, past = _appointments(row["bookings"] or [])
    return PatientRecord(
        cliniko_id=cliniko_id,
        clinic=clinic,
        merged_from=tuple(row["merged_from"]),
        date_of_birth=day(row["date_of_birth"]),
        updated_at=stored_timestamp(row["updated_at"]),
        archived_at=_optional(row["archived_at"]),
        deleted_at=_optional(row["deleted_at"]),
        merged_into=row["merged_into"],
        checked_at=max((stored_timestamp(check) for check in checks if check), default=first_seen_at),
        alerts=tuple(
            Alert(alert["cliniko_id"], alert["name"], stored_timestamp(alert["first_seen_at"]))
            for alert in row["alerts"] or []
        ),
        upcoming=upcoming,
        past=past,
        alerts_warning=_warning("medical_alerts", "Alerts", row, clinic),
        appointments_warning=next(filter(None, (_warning(*each, row, clinic) for each in _APPOINTMENT_LISTS)), ""),
        not_stored=field_groups.not_stored(row["excluded"] or {}, row["payload"]),
        payload=row["payload"],
        changes=tuple(
            Change(change["field"], change["before"], change["after"], stored_timestamp(change["changed_at"]))
            for change in row["changes"] or []
        ),
        **fields_from(row["payload"]),
    )


def summaries(cliniko_ids: Iterable[str]) -> dict[str, PatientSummary]:
    """Return the mirrored patients of these ids, except deleted ones, by id."""
    rows = models.Patient.objects.filter(cliniko_id__in=list(cliniko_ids), deleted_at=None)
    return {row.cliniko_id: summary(row) for row in rows.only(*SUMMARY_COLUMNS)}


def clinic_facts() -> ClinicFacts:
    """Return the settings of the clinic's Cliniko account."""
    return _facts(models.Connection.objects.filter(id=1).values(*_NOT_CONNECTED).first())


def account_since() -> datetime | None:
    """Return when the clinic moved to its current Cliniko account, whose ids mean other patients; None if never."""
    return models.Connection.objects.filter(id=1).values_list("account_since", flat=True).first()


def _facts(row: dict[str, str] | None) -> ClinicFacts:
    row = row or _NOT_CONNECTED
    subdomain = row["account_subdomain"]
    url = settings.CLINIKO_WEB_URL.replace("{subdomain}", subdomain).replace("{shard}", row["shard"])
    return ClinicFacts(row["time_zone"], row["patient_word"], cliniko_url=url if subdomain else "")


def _optional(value: str | None) -> datetime | None:
    return stored_timestamp(value) if value else None


def _warning(resource: str, label: str, row: _PatientRow, clinic: ClinicFacts) -> str:
    """Return why a list may be incomplete, or "". A patient just re-read doesn't prove it: lists fail separately."""
    cursor = (row["lists"] or {}).get(resource, {})
    checked_at = _optional(cursor.get("checked_at"))
    if cursor.get("refused_at"):
        return f"{label} can't be shown: the Cliniko user who made the API key can't read them. Check in Cliniko."
    if resource in row["unreadable"]:
        return f"Some {label.lower()} couldn't be read. Check in Cliniko."
    if checked_at is None or checked_at < stored_timestamp(row["first_seen_at"]):
        return f"{label} are still being copied from Cliniko. Until then, check in Cliniko."
    if timezone.now() - checked_at > STALE_AFTER:
        return f"{label} were last copied {at(checked_at, clinic.time_zone)}. Check in Cliniko for newer ones."
    return ""


def _appointments(rows: list[_Row]) -> tuple[tuple[Appointment, ...], tuple[Appointment, ...]]:
    """Return upcoming appointments, soonest first, and past ones, latest first, group appointments included."""
    found = list(map(_appointment, rows))
    now = timezone.now()
    upcoming = tuple(each for each in found if (each.ends_at or each.starts_at) >= now)
    past = tuple(each for each in reversed(found) if (each.ends_at or each.starts_at) < now)
    return upcoming, past


def _appointment(row: _Row) -> Appointment:
    return Appointment(
        cliniko_id=row["cliniko_id"],
        starts_at=stored_timestamp(row["starts_at"]),
        ends_at=_optional(row["ends_at"]),
        practitioner=text(row, "practitioner"),
        business=text(row, "business"),
        appointment_type=text(row, "appointment_type"),
        status=_status(row),
        cancellation_reason=text(row, "cancellation_reason"),
        notes=text(row, "notes"),
    )


def _status(row: _Row) -> Status:
    if row["cancelled_at"]:
        return "cancelled"
    if row["did_not_arrive"]:
        return "did_not_arrive"
    return "arrived" if row["arrived"] is True else "booked"


# Records of a patient who was merged into this one belong to this one, whether Cliniko has moved them yet or not.
# `= ANY(ARRAY(...))` uses the index on patient_id; the planner may turn `IN (SELECT ...)` into a join without it.
_STATEMENT = """
WITH RECURSIVE family (id) AS (
    SELECT %(id)s::text
    UNION SELECT merged.cliniko_id::text FROM sync_patient AS merged JOIN family ON merged.merged_into = family.id
), booking AS (
    SELECT cliniko_id, starts_at, ends_at, cancelled_at, practitioner_id, business_id, appointment_type_id, payload,
        payload -> 'patient_arrived' AS arrived, payload -> 'did_not_arrive' = 'true' AS did_not_arrive
    FROM sync_appointment
    WHERE patient_id = ANY(ARRAY(SELECT id FROM family)) AND archived_at IS NULL AND deleted_at IS NULL
    UNION ALL
    SELECT attendee.cliniko_id, group_appointment.starts_at, group_appointment.ends_at, attendee.cancelled_at,
        group_appointment.practitioner_id, group_appointment.business_id, group_appointment.appointment_type_id,
        attendee.payload, attendee.payload -> 'arrived',
        attendee.payload -> 'arrived' = 'false' OR attendee.payload -> 'did_not_arrive' = 'true'
    FROM sync_attendee AS attendee
    JOIN sync_groupappointment AS group_appointment ON group_appointment.cliniko_id = attendee.booking_id
    WHERE attendee.patient_id = ANY(ARRAY(SELECT id FROM family))
        AND attendee.archived_at IS NULL AND attendee.deleted_at IS NULL
        AND group_appointment.archived_at IS NULL AND group_appointment.deleted_at IS NULL
), named_booking AS (
    SELECT booking.cliniko_id, starts_at, ends_at, cancelled_at, arrived, did_not_arrive,
        practitioner.name AS practitioner, business.name AS business, appointment_type.name AS appointment_type,
        booking.payload -> 'notes' AS notes, booking.payload -> 'cancellation_reason_description' AS cancellation_reason
    FROM booking
    LEFT JOIN sync_practitioner AS practitioner ON practitioner.cliniko_id = practitioner_id
    LEFT JOIN sync_business AS business ON business.cliniko_id = business_id
    LEFT JOIN sync_appointmenttype AS appointment_type ON appointment_type.cliniko_id = appointment_type_id
    ORDER BY starts_at, booking.cliniko_id
), alert AS (
    SELECT cliniko_id, name, first_seen_at FROM sync_medicalalert
    WHERE patient_id = ANY(ARRAY(SELECT id FROM family)) AND archived_at IS NULL AND deleted_at IS NULL
    ORDER BY cliniko_id
), change AS (
    SELECT id, field, before, after, changed_at FROM sync_patientchange WHERE patient_id = %(id)s
), excluded AS (
    SELECT group_name, bool_and(restoring) AS restoring FROM sync_excludedfield GROUP BY group_name
), connection AS (
    SELECT time_zone, patient_word, account_subdomain, shard FROM sync_connection WHERE id = 1
)
SELECT json_build_object(
    'payload', payload, 'date_of_birth', date_of_birth, 'updated_at', updated_at, 'archived_at', archived_at,
    'deleted_at', deleted_at, 'merged_into', merged_into, 'first_seen_at', first_seen_at,
    'merged_from', ARRAY(SELECT id FROM family WHERE id <> %(id)s),
    'refreshed_at', (SELECT checked_at FROM sync_patientrefresh WHERE cliniko_id = %(id)s),
    'unreadable', ARRAY(SELECT resource FROM sync_refusedpayload WHERE patient_id = %(id)s),
    'lists', (SELECT json_object_agg(resource, json_build_object('checked_at', checked_at, 'refused_at', refused_at))
        FROM sync_cursor),
    'bookings', (SELECT json_agg(named_booking) FROM named_booking),
    'alerts', (SELECT json_agg(alert) FROM alert),
    'excluded', (SELECT json_object_agg(group_name, restoring) FROM excluded),
    'changes', (SELECT json_agg(change ORDER BY id) FROM change),
    'connection', (SELECT row_to_json(connection) FROM connection)
)::text FROM sync_patient WHERE cliniko_id = %(id)s
"""
