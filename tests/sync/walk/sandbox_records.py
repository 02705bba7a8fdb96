"""What Cliniko's sandbox holds against what the mirror holds, record by record and field by field."""

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
ExcludedField = set[tuple[str, str]]  # resource and field
Mirror = dict[str, dict[str, Row]]  # by resource, by id
MOMENTS = ("archived_at", "cancelled_at")


class Reader(Protocol):
    """A cursor of Django's or of psycopg's that stands in a clinic's schema."""

    def execute(self, query: str) -> object: ...
    def fetchall(self) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True)
class Differences:
    """Where the mirror is not as Cliniko; each line names a record. False when there are none."""

    missing: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    shown_though_gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.stale or self.shown_though_gone)


def differences(store: Store, url: str, label: str, *, without: tuple[str, ...] = ()) -> Differences:
    """Compare every record of every mirrored resource of this process's clinic; some resources may be left out."""
    wanted = tuple(each.name for each in RESOURCES if each.name not in without)
    with clinic_context(label), database.cursor() as cursor:
        chosen = left_out(cursor)
    return compare(truth(store, label, wanted), held(label, wanted), api_of(store, url, label), chosen)


def api_of(store: Store, url: str, label: str) -> str:
    """The account's address of the API, as it stands in the links of its records."""
    account = store.account(label)
    assert account is not None
    return f"{url.rstrip('/')}/api/{account.shard}/v1"


def truth(store: Store, label: str, wanted: Iterable[str] = BY_NAME) -> dict[str, list[Record]]:
    """Every record that the account has or had, by resource: archived, cancelled, merged and deleted ones too."""
    with store.reading() as connection:
        rows = connection.execute("SELECT * FROM records WHERE account = ? ORDER BY id", (label,)).fetchall()
    records = [Record.from_row(row) for row in rows]
    return {name: [record for record in records if record.resource == name] for name in wanted}


def held(label: str, wanted: Iterable[str] = BY_NAME) -> Mirror:
    """The rows of this process's clinic."""
    with clinic_context(label), database.cursor() as cursor:
        return rows_of(cursor, wanted)


def rows_of(reader: Reader, wanted: Iterable[str] = BY_NAME) -> Mirror:
    """The mirror's rows, columns as PostgreSQL writes them in JSON."""
    return {name: dict(_rows(reader, BY_NAME[name])) for name in wanted}


def _rows(reader: Reader, resource: Resource) -> Iterator[tuple[str, Row]]:
    reader.execute(f"SELECT to_jsonb(held)::text FROM {resource.model._meta.db_table} AS held")  # noqa: S608 - our own table
    for (text,) in reader.fetchall():
        row = json.loads(text)
        yield row["cliniko_id"], row


def left_out(reader: Reader) -> ExcludedField:
    """The fields that the clinic chose not to keep."""
    reader.execute("SELECT resource, field FROM sync_excludedfield WHERE NOT restoring")
    return {(resource, field) for resource, field in reader.fetchall()}


def compare(
    records: dict[str, list[Record]], mirror: Mirror, api: str, chosen: ExcludedField | frozenset[Any] = frozenset()
) -> Differences:
    """The mirror must hold every field of Cliniko's but the chosen ones, and of these none."""
    missing: list[str] = []
    stale: list[str] = []
    shown: list[str] = []
    for name in records:
        rows = dict(mirror[name])
        for record in records[name]:
            row, called = rows.pop(str(record.id), None), f"{name}/{record.id}"
            live = row is not None and not row["deleted_at"]
            if record.deleted_at:
                shown += [called] if live else []
            elif row is None or not live:
                missing.append(called if row is None else f"{called} (a tombstone)")
            else:
                kept = {field: told for field, told in serialize(record, api).items() if (name, field) not in chosen}
                stale += [f"{called}: {told}" for told in _told_wrongly(kept, row)]
        shown += [f"{name}/{cliniko_id} (never was)" for cliniko_id, row in rows.items() if not row["deleted_at"]]
    return Differences(tuple(sorted(missing)), tuple(sorted(stale)), tuple(sorted(shown)))


def _told_wrongly(payload: dict[str, Any], row: Row) -> Iterator[str]:
    """What of a live record reads otherwise here, in the payload and in the columns that pages select by."""
    here = row["payload"]
    for name in sorted(payload.keys() | here.keys()):
        if payload.get(name) != here.get(name) or (name in payload) != (name in here):
            yield f"{name} is {here.get(name)!r} and should be {payload.get(name)!r}"
    for name in MOMENTS:
        if name in row and _moment(row[name]) != _moment(payload.get(name)):
            yield f"the column {name} is {row[name]}"
    if _moment(row["updated_at"]) != _moment(payload["updated_at"]):
        yield f"the column updated_at is {row['updated_at']}"
    survivor = linked_id(payload, "merged_with_patient") or None
    if "merged_into" in row and row["merged_into"] != survivor:
        yield f"merged_into is {row['merged_into']} and should be {survivor}"
    if "patient_id" in row and row["patient_id"] != linked_id(payload, "patient"):
        yield f"patient_id is {row['patient_id']}"


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
