"""All that the mirror holds of one patient, read in one statement: pages wait for the database once."""

import json
from typing import Any

from django.db import connection

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
    SELECT group_name, bool_and(coming_back) AS coming_back FROM sync_leftout GROUP BY group_name
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
    'left_out', (SELECT json_object_agg(group_name, coming_back) FROM left_out),
    'changes', (SELECT json_agg(change ORDER BY id) FROM change),
    'connection', (SELECT row_to_json(connection) FROM connection)
)::text FROM sync_patient WHERE cliniko_id = %(id)s
"""


def read(cliniko_id: str) -> dict[str, Any] | None:
    """The patient's columns; `lists` by resource, `bookings` soonest first, `alerts`, `changes` oldest first,
    `left_out` the groups of fields that are not kept and whether they are coming back,
    `connection` (None before there is one) and `family`, the ids of those merged into this patient. Times are text as
    in Cliniko's payloads."""
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, {"id": cliniko_id})
        row = cursor.fetchone()
    return json.loads(row[0]) if row else None
