"""Writing answers into the mirror: one statement a page, older answers never over newer ones."""

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

from sync.cliniko.payloads import PayloadRefused, linked_id, storable
from sync.models import ExcludedField, RefusedPayload
from sync.resources import PATIENTS, RESOURCES, SHARED_COLUMNS, Resource, Row, read_payload

SETTLED = "10 minutes"  # no replica lags for so long
# Whoever was reduced to the id (sync/retention.py) lost with it what hung on them. No tick brings that, as Cliniko did
# not change it: so it is compared.
REVIVED = (
    "revived AS (UPDATE sync_reconciliation"
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
    """Commits within count at once and reach the disk within a second. A database server that crashes before that loses
    a page together with its cursor, and so the page is asked for again.
    # Reference: docs/decisions/0014-commits-unawaited.md
    """
    _set("SET synchronous_commit = off")
    try:
        yield
    finally:
        with suppress(DatabaseError):  # a lost connection has forgotten it anyway
            _set("RESET synchronous_commit")


def _set(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def next_sequence() -> int:
    """A number to draw before a request: its answer wins over the answers to requests with smaller ones."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('sync_answer_sequence')")
        return int(cursor.fetchone()[0])


def is_latest(sequence: int) -> bool:
    """Whether no request was made after the one that this number was drawn for."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM sync_answer_sequence")
        return int(cursor.fetchone()[0]) == sequence


@dataclass(frozen=True)
class ReadPage:
    """One answer's records as they go to the database: `rows` in order of id, so that two writers never wait for each
    other in a circle; `body` the same as JSON; `refused` what cannot be read, and why."""

    resource: Resource
    rows: list[Row]
    body: str
    refused: list[tuple[dict[str, Any], str]]


def read_page(resource: Resource, payloads: Iterable[dict[str, Any]]) -> ReadPage:
    """Read one answer's records. Asks the database nothing, so any thread may do it."""
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
    """Read and store one answer's records, and return how many rows that changed."""
    return store_page(read_page(resource, payloads), sequence=sequence)


def store_page(page: ReadPage, *, sequence: int, carefully: bool = True) -> int:
    """Store what was read and return how many rows that changed. What cannot be read is kept aside. Fields that the
    clinic left out reach no table.

    Not `carefully`, it raises DataError for a value that the database cannot hold, and the caller's transaction is
    lost; that spares each page a savepoint.

    The caller holds the connection's row, by its lease or by `is_still`: a choice of fields waits for it, or it for the
    choice.
    """
    for payload, reason in page.refused:
        _quarantine(page.resource, payload, reason)
    if not page.rows:
        return 0
    write = _write if carefully else _write_once
    return write(page.rows, page.body, page.resource, sequence)


def _write(rows: list[Row], body: str, resource: Resource, sequence: int) -> int:
    """Write rows in one statement. Where the database refuses one of them, halve until that one is kept aside."""
    try:
        with transaction.atomic():
            return _write_once(rows, body, resource, sequence)
    except DataError:
        if len(rows) == 1:
            _quarantine(resource, rows[0]["payload"], "The database cannot hold a value in it.")
            return 0
    middle = len(rows) // 2
    halves = (rows[:middle], rows[middle:])
    return sum(_write(half, _as_json(half).decode(), resource, sequence) for half in halves)


def _write_once(rows: list[Row], body: str, resource: Resource, sequence: int) -> int:
    ids = [row["cliniko_id"] for row in rows]
    words = {
        "rows": body,
        "ids": ids,
        "sequence": sequence,
        "resource": resource.name,
        "on_patients": PATIENT_RESOURCES,
    }
    return _execute(_upsert(resource), words)


def _execute(statement: str, words: dict[str, Any]) -> int:
    """The number of rows. The server binds the words: Django's own cursor quotes them into the text of the statement,
    which takes as long again for a page of payloads."""
    with connection.cursor() as django_cursor, connection.wrap_database_errors:
        return psycopg.Cursor(django_cursor.connection).execute(statement, words).rowcount


def mark_deleted(resource: Resource, cliniko_ids: Collection[str], *, sequence: int) -> int:
    """Cliniko says that these records are gone: keep them as tombstones, and return how many were live here until now.

    Takes no notice of rows that are known from a later request. One that could not be read needs to be no longer.
    """
    RefusedPayload.objects.filter(resource=resource.name, cliniko_id__in=cliniko_ids).delete()
    rows = resource.model._default_manager.filter(cliniko_id__in=cliniko_ids, deleted_at=None, sequence__lt=sequence)
    return rows.update(deleted_at=timezone.now(), sequence=sequence, written_at=Now())


@cache
def _upsert(resource: Resource) -> str:
    """An older answer loses; an equal one leaves the row untouched, down to its dead tuples.

    Of two versions the later `updated_at` wins, and within one second (Cliniko's clock ticks in seconds) the later
    request. A replica of Cliniko's that lags may answer a later request with an older version: it loses for a while.
    After that Cliniko means it, its clock was set back or a backup came back, and whoever asks last is right. Payloads
    are compared as they would be kept, without the fields that the clinic left out.
    """
    columns = SHARED_COLUMNS | resource.columns
    names = ", ".join(columns)
    kept = names.replace("payload", "payload - (SELECT fields FROM left_out)")
    types = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "cliniko_id")
    table = connection.ops.quote_name(resource.model._meta.db_table)
    found_again = REVIVED if resource is PATIENTS else ""
    return (
        f"WITH {found_again}readable_again AS (DELETE FROM sync_refusedpayload"  # noqa: S608 - names come from the table of resources
        " WHERE resource = %(resource)s AND cliniko_id = ANY(%(ids)s)),"
        f" left_out AS ({EXCLUDED_FIELDS})"
        f" INSERT INTO {table} AS held ({names}, sequence)"
        f" SELECT {kept}, %(sequence)s FROM jsonb_to_recordset(%(rows)s::jsonb) AS given ({types})"
        f" ON CONFLICT (cliniko_id) DO UPDATE SET {changes}, sequence = excluded.sequence, written_at = now()"
        " WHERE ((excluded.updated_at, excluded.sequence) > (held.updated_at, held.sequence)"
        f" OR excluded.sequence > held.sequence AND held.written_at < now() - interval '{SETTLED}')"
        " AND (held.deleted_at IS NULL OR excluded.sequence > held.sequence)"
        " AND (held.payload, held.deleted_at) IS DISTINCT FROM (excluded.payload, excluded.deleted_at)"
    )


def _as_json(rows: list[Row]) -> bytes:
    """The rows as JSON that jsonb takes: no NUL, no lone surrogate."""
    try:
        body = orjson.dumps(rows)
    except TypeError:  # a lone surrogate, an integer beyond 64 bits, a depth beyond orjson's
        return json.dumps(storable(rows), cls=DjangoJSONEncoder).encode()
    return orjson.dumps(storable(rows)) if b"\\u0000" in body else body


def without_excluded_fields(resource: Resource, payload: dict[str, Any]) -> dict[str, Any]:
    """The payload as the clinic keeps it."""
    rows = ExcludedField.objects.filter(resource=resource.name, restoring=False)
    left_out = set(rows.values_list("field", flat=True))
    return {name: value for name, value in payload.items() if name not in left_out}


def _quarantine(resource: Resource, payload: dict[str, Any], reason: str) -> None:
    RefusedPayload.objects.update_or_create(
        resource=resource.name,
        cliniko_id=str(payload.get("id", ""))[:40].replace("\x00", ""),
        defaults={
            "patient_id": linked_id(payload, "patient"),
            "payload": json.dumps(without_excluded_fields(resource, payload)),
            "reason": reason,
            "refused_at": timezone.now(),
        },
    )
