"""Writing Cliniko's answers into the mirror: one statement per page; an older answer never overwrites a newer one."""

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
import psycopg
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, DataError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from sync.cliniko.payloads import PayloadRefused, jsonb_safe, linked_id
from sync.models import ExcludedField, RefusedPayload
from sync.resources import PATIENTS, RESOURCES, SHARED_COLUMNS, Resource, Row, read_payload

REPLICA_LAG = "10 minutes"  # more than any replica of Cliniko's lags
# Retention (sync/retention.py) reduced these patients to their id and deleted their alerts and appointments. Cliniko
# didn't change those, so no tick brings them back: a comparison does.
REQUEST_COMPARISON = (
    "restored AS (UPDATE sync_reconciliation"
    " SET due_at = now(), requested_again = requested_again OR after_id IS NOT NULL"
    " WHERE resource = ANY(%(on_patients)s) AND EXISTS (SELECT FROM sync_patient"
    " WHERE cliniko_id = ANY(%(ids)s) AND deleted_at IS NOT NULL AND NOT payload ? 'updated_at')), "
)
PATIENT_RESOURCES = [resource.name for resource in RESOURCES if "patient_id" in resource.columns]
EXCLUDED_FIELDS = (
    "SELECT array(SELECT field::text FROM sync_excludedfield WHERE resource = %(resource)s AND NOT restoring) AS fields"
)


@contextmanager
def async_commits() -> Iterator[None]:
    """Commit without waiting for the disk. A database crash within a second loses a page together with its cursor, so
    the page is fetched again.

    # Reference: docs/decisions/0014-sync-commits-do-not-wait-for-the-disk.md
    """
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    try:
        yield
    finally:
        with suppress(DatabaseError), connection.cursor() as cursor:  # a closed connection needs no reset
            cursor.execute("RESET synchronous_commit")


def next_sequence() -> int:
    """Draw a number before a request. Its answer takes precedence over answers with smaller numbers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('sync_answer_sequence')")
        return int(cursor.fetchone()[0])


def is_latest(sequence: int) -> bool:
    """Return whether no request was made after the one with this number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM sync_answer_sequence")
        return int(cursor.fetchone()[0]) == sequence


@dataclass(frozen=True)
class ReadPage:
    """The parsed records of one answer.

    `rows` are in order of id, so that two writers can't deadlock; `body` is the same as JSON; `refused` are payloads
    that can't be parsed, with the reason.
    """

    resource: Resource
    rows: list[Row]
    body: str
    refused: list[tuple[dict[str, Any], str]]


def read_page(resource: Resource, payloads: Iterable[dict[str, Any]]) -> ReadPage:
    """Parse one answer's records. Makes no database query, so any thread may call it."""
    found: dict[str, Row] = {}
    refused: list[tuple[dict[str, Any], str]] = []
    for payload in payloads:
        try:
            row = read_payload(resource, payload)
        except PayloadRefused as reason:
            refused.append((payload, str(reason)))
        else:
            found[row["cliniko_id"]] = row
    rows = [found[cliniko_id] for cliniko_id in sorted(found)]
    return ReadPage(resource, rows, _as_json(rows).decode(), refused)


def write_page(resource: Resource, payloads: Iterable[dict[str, Any]], *, sequence: int) -> int:
    """Parse and store one answer's records. Returns how many rows changed."""
    return store_page(read_page(resource, payloads), sequence=sequence)


def store_page(page: ReadPage, *, sequence: int, isolate: bool = True) -> int:
    """Store parsed records and return how many rows changed. Quarantines what can't be parsed, drops excluded fields.

    With `isolate`, records that the database rejects are quarantined and the others stored. Without it, DataError is
    raised and the caller's transaction is lost, which saves a savepoint per page.

    The caller must lock the connection's row, by its lease or by `key_is_unchanged`: excluding a field locks it too.
    """
    for payload, reason in page.refused:
        _quarantine(page.resource, payload, reason)
    if not page.rows:
        return 0
    write = _write_isolated if isolate else _write
    return write(page.rows, page.body, page.resource, sequence)


def _write_isolated(rows: list[Row], body: str, resource: Resource, sequence: int) -> int:
    """Write rows in one statement. If the database rejects it, bisect and quarantine the rejected record."""
    try:
        with transaction.atomic():
            return _write(rows, body, resource, sequence)
    except DataError:
        if len(rows) == 1:
            _quarantine(resource, rows[0]["payload"], "The database can't store a value in it.")
            return 0
    middle = len(rows) // 2
    halves = (rows[:middle], rows[middle:])
    return sum(_write_isolated(half, _as_json(half).decode(), resource, sequence) for half in halves)


def _write(rows: list[Row], body: str, resource: Resource, sequence: int) -> int:
    parameters = {
        "rows": body,
        "ids": [row["cliniko_id"] for row in rows],
        "sequence": sequence,
        "resource": resource.name,
        "on_patients": PATIENT_RESOURCES,
    }
    return execute(_upsert(resource), parameters)


def execute(statement: str, parameters: dict[str, Any]) -> int:
    """Execute a statement and return the number of rows.

    The server binds the parameters: Django's cursor interpolates them, which doubles the time for a page of payloads.
    """
    with connection.cursor() as django_cursor, connection.wrap_database_errors:
        return psycopg.Cursor(django_cursor.connection).execute(statement, parameters).rowcount


def mark_deleted(resource: Resource, cliniko_ids: Collection[str], *, sequence: int) -> int:
    """Turn these records, which Cliniko deleted, into tombstones. Returns how many were live.

    Leaves rows from later requests alone. Deletes the records from quarantine.
    """
    RefusedPayload.objects.filter(resource=resource.name, cliniko_id__in=cliniko_ids).delete()
    rows = resource.model._default_manager.filter(cliniko_id__in=cliniko_ids, deleted_at=None, sequence__lt=sequence)
    return rows.update(deleted_at=timezone.now(), sequence=sequence, written_at=Now())


@cache
def _upsert(resource: Resource) -> str:
    """Return the statement that writes a page. An older answer loses; an equal one leaves the row untouched.

    Of two versions the later `updated_at` wins, and within one second (the resolution of Cliniko's clock) the later
    request. If one of Cliniko's replicas lags, a later request may be answered with an older version: it loses until
    REPLICA_LAG has passed. After that it wins, because Cliniko's clock was set back or a backup was restored. Payloads
    are compared as stored, without excluded fields.
    """
    columns = SHARED_COLUMNS | resource.columns
    names = ", ".join(columns)
    values = names.replace("payload", "payload - (SELECT fields FROM excluded_fields)")
    types = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "cliniko_id")
    table = connection.ops.quote_name(resource.model._meta.db_table)
    request_comparison = REQUEST_COMPARISON if resource is PATIENTS else ""
    return (
        f"WITH {request_comparison}released AS (DELETE FROM sync_refusedpayload"  # noqa: S608 - names come from RESOURCES
        " WHERE resource = %(resource)s AND cliniko_id = ANY(%(ids)s)),"
        f" excluded_fields AS ({EXCLUDED_FIELDS})"
        f" INSERT INTO {table} AS stored ({names}, sequence)"
        f" SELECT {values}, %(sequence)s FROM jsonb_to_recordset(%(rows)s::jsonb) AS given ({types})"
        f" ON CONFLICT (cliniko_id) DO UPDATE SET {changes}, sequence = excluded.sequence, written_at = now()"
        " WHERE ((excluded.updated_at, excluded.sequence) > (stored.updated_at, stored.sequence)"
        f" OR excluded.sequence > stored.sequence AND stored.written_at < now() - interval '{REPLICA_LAG}')"
        " AND (stored.deleted_at IS NULL OR excluded.sequence > stored.sequence)"
        " AND (stored.payload, stored.deleted_at) IS DISTINCT FROM (excluded.payload, excluded.deleted_at)"
    )


def _as_json(rows: list[Row]) -> bytes:
    """Return the rows as JSON that jsonb accepts: no NUL, no lone surrogate."""
    try:
        body = orjson.dumps(rows)
    except TypeError:  # a lone surrogate, an integer beyond 64 bits, nesting too deep for orjson
        return json.dumps(jsonb_safe(rows), cls=DjangoJSONEncoder).encode()
    return orjson.dumps(jsonb_safe(rows)) if b"\\u0000" in body else body


def _quarantine(resource: Resource, payload: dict[str, Any], reason: str) -> None:
    """Keep a payload that can't be stored, without the fields that the clinic excluded, and the reason."""
    rows = ExcludedField.objects.filter(resource=resource.name, restoring=False)
    excluded = set(rows.values_list("field", flat=True))
    RefusedPayload.objects.update_or_create(
        resource=resource.name,
        cliniko_id=str(payload.get("id", ""))[:40].replace("\x00", ""),
        defaults={
            "patient_id": linked_id(payload, "patient"),
            "payload": json.dumps({name: value for name, value in payload.items() if name not in excluded}),
            "reason": reason,
            "refused_at": timezone.now(),
        },
    )
