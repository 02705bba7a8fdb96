"""Compare the mirror with the sandbox's records, record by record and field by field."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.db import connection as database

from sandbox.cliniko.api.serializers import serialize
from sandbox.cliniko.data.records import Record
from sandbox.cliniko.store import Store
from sync.cliniko.payloads import linked_id
from sync.resources import BY_NAME, RESOURCES, Resource
from tenants.context import clinic_context

Row = dict[str, Any]
FieldSet = set[tuple[str, str]] | frozenset[tuple[str, str]]  # resource and field
Mirror = dict[str, dict[str, Row]]  # by resource, by id
TIMES = ("archived_at", "cancelled_at")


class DatabaseCursor(Protocol):
    """Django's or psycopg's cursor in a clinic's schema."""

    def execute(self, query: str) -> object: ...
    def fetchall(self) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True)
class Differences:
    """The records that differ between mirror and Cliniko. False when there are none."""

    missing: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    not_deleted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.stale or self.not_deleted)


def differences(store: Store, url: str, label: str, *, without: tuple[str, ...] = ()) -> Differences:
    """Compare every record of every resource of this process's clinic, except those of the resources `without`."""
    names = tuple(each.name for each in RESOURCES if each.name not in without)
    with clinic_context(label), database.cursor() as cursor:
        excluded = excluded_fields(cursor)
    return compare(account_records(store, label, names), mirror_of(label, names), api_of(store, url, label), excluded)


def api_of(store: Store, url: str, label: str) -> str:
    """Return the account's API address, as in the links of its records."""
    account = store.account(label)
    assert account is not None
    return f"{url.rstrip('/')}/api/{account.shard}/v1"


def account_records(store: Store, label: str, names: Iterable[str] = BY_NAME) -> dict[str, list[Record]]:
    """Return all of an account's records by resource, including archived, cancelled, merged and deleted ones."""
    with store.reading() as connection:
        rows = connection.execute("SELECT * FROM records WHERE account = ? ORDER BY id", (label,)).fetchall()
    records = [Record.from_row(row) for row in rows]
    return {name: [record for record in records if record.resource == name] for name in names}


def mirror_of(label: str, names: Iterable[str] = BY_NAME) -> Mirror:
    """Return the rows of this process's clinic."""
    with clinic_context(label), database.cursor() as cursor:
        return read_mirror(cursor, names)


def read_mirror(cursor: DatabaseCursor, names: Iterable[str] = BY_NAME) -> Mirror:
    """Return the mirror's rows, with columns as PostgreSQL writes them in JSON."""
    return {name: dict(_rows(cursor, BY_NAME[name])) for name in names}


def _rows(cursor: DatabaseCursor, resource: Resource) -> Iterator[tuple[str, Row]]:
    cursor.execute(f"SELECT to_jsonb(stored)::text FROM {resource.model._meta.db_table} AS stored")  # noqa: S608 - our own table
    for (text,) in cursor.fetchall():
        row = json.loads(text)
        yield row["cliniko_id"], row


def excluded_fields(cursor: DatabaseCursor) -> FieldSet:
    """Return the fields that the clinic doesn't store."""
    cursor.execute("SELECT resource, field FROM sync_excludedfield WHERE NOT restoring")
    return {(resource, field) for resource, field in cursor.fetchall()}


def compare(
    account: dict[str, list[Record]], mirror: Mirror, api: str, excluded: FieldSet = frozenset()
) -> Differences:
    """Compare every field: the mirror must have all of Cliniko's except the excluded ones, and none of those."""
    missing: list[str] = []
    stale: list[str] = []
    not_deleted: list[str] = []
    for resource, records in account.items():
        rows = dict(mirror[resource])
        for record in records:
            row, name = rows.pop(str(record.id), None), f"{resource}/{record.id}"
            live = row is not None and not row["deleted_at"]
            if record.deleted_at:
                not_deleted += [name] if live else []
            elif row is None or not live:
                missing.append(name if row is None else f"{name} (a tombstone)")
            else:
                payload = serialize(record, api)
                payload = {field: value for field, value in payload.items() if (resource, field) not in excluded}
                stale += [f"{name}: {difference}" for difference in _differences(payload, row)]
        unknown = [cliniko_id for cliniko_id, row in rows.items() if not row["deleted_at"]]
        not_deleted += [f"{resource}/{cliniko_id} (unknown to Cliniko)" for cliniko_id in unknown]
    return Differences(tuple(sorted(missing)), tuple(sorted(stale)), tuple(sorted(not_deleted)))


def _differences(payload: dict[str, Any], row: Row) -> Iterator[str]:
    """Yield what differs in a live record, in the payload and in the columns that pages filter by."""
    stored = row["payload"]
    for name in sorted(payload.keys() | stored.keys()):
        if payload.get(name) != stored.get(name) or (name in payload) != (name in stored):
            yield f"{name} is {stored.get(name)!r} and should be {payload.get(name)!r}"
    for name in TIMES:
        if name in row and _time(row[name]) != _time(payload.get(name)):
            yield f"the column {name} is {row[name]}"
    if _time(row["updated_at"]) != _time(payload["updated_at"]):
        yield f"the column updated_at is {row['updated_at']}"
    survivor = linked_id(payload, "merged_with_patient") or None
    if "merged_into" in row and row["merged_into"] != survivor:
        yield f"merged_into is {row['merged_into']} and should be {survivor}"
    if "patient_id" in row and row["patient_id"] != linked_id(payload, "patient"):
        yield f"patient_id is {row['patient_id']}"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
