"""Records of any resource: adding, editing, archiving, merging and deleting them."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sandbox.cliniko.data.database import Database
from sandbox.cliniko.data.resources import BOOKINGS, COLUMNS, RESOURCES
from sandbox.cliniko.errors import SandboxError

SETTABLE_COLUMNS = {"id", "created_at", "updated_at", "archived_at"}  # columns that callers may set on a new record
FIRST_ID = 1713650742029190001
ID_CEILING = 9 * 10**18  # callers may choose ids above this; generated ids stay below
DEPENDENTS = {  # resources deleted with a record, and the field that refers to it
    "patients": dict.fromkeys(("medical_alerts", "individual_appointments", "attendees"), "patient_id"),
    **{booking: {"attendees": "booking_id"} for booking in BOOKINGS},
}
PLACEHOLDERS = ", ".join("?" * (len(COLUMNS) + 3))
INSERT = f"INSERT INTO records (account, resource, {', '.join(COLUMNS)}, body) VALUES ({PLACEHOLDERS})"


@dataclass(frozen=True)
class Record:
    """A stored row. Links to other records are ids; the serializer turns them into URLs."""

    account: str
    resource: str
    id: int
    created_at: str
    updated_at: str
    body: dict[str, Any]
    archived_at: str | None = None
    cancelled_at: str | None = None
    deleted_at: str | None = None
    patient_id: int | None = None

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> "Record":
        columns = {name: row[name] for name in COLUMNS}
        return cls(account=row["account"], resource=row["resource"], body=json.loads(row["body"]), **columns)

    def row(self) -> tuple[Any, ...]:
        columns = [getattr(self, name) for name in COLUMNS]
        return (self.account, self.resource, *columns, json.dumps(self.body, ensure_ascii=False))


class Records(Database):
    """Reads and writes of records. Every write is one transaction and sets updated_at."""

    def record(self, account: str, resource: str, id: int | str, *, deleted: bool = False) -> Record | None:
        """Return the record or None; a deleted one only with `deleted`."""
        with self.reading() as connection:
            found = _find(connection, account, resource, id)
        return found if found and (deleted or not found.deleted_at) else None

    def edit(self, account: str, resource: str, id: int | str, **fields: Any) -> None:
        """Change fields of a record."""
        self._change(account, resource, id, **fields)

    def archive(self, account: str, id: int | str, *, resource: str = "patients") -> None:
        self._change(account, resource, id, archived_at=self.timestamp())

    def unarchive(self, account: str, id: int | str, *, resource: str = "patients") -> None:
        self._change(account, resource, id, archived_at=None)

    def delete(self, account: str, id: int | str, *, resource: str = "patients", touch: bool = True) -> None:
        """Delete a record and its dependents.

        Cliniko doesn't always set updated_at then: `touch=False` leaves it unchanged.
        """
        with self.writing() as connection:
            record = self._existing(connection, account, resource, id)
            for each in (record, *_dependents(connection, record)):
                at = self.timestamp() if touch else each.updated_at
                self._write(connection, account, each.resource, each.id, deleted_at=self.timestamp(), updated_at=at)

    def merge(self, account: str, loser: int | str, survivor: int | str) -> None:
        """Merge two patients: archive the loser, link it to the survivor, and move its dependents there."""
        if int(loser) == int(survivor):
            raise SandboxError("A patient cannot be merged into itself.")
        at = self.timestamp()
        with self.writing() as connection:
            if not _unless_deleted(_find(connection, account, "patients", survivor)):
                raise SandboxError(f"There is no patient {survivor} to merge into.")
            self._write(
                connection,
                account,
                "patients",
                loser,
                archived_at=at,
                merged_at=at,
                merged_with_patient=str(survivor),
            )
            self._write(connection, account, "patients", survivor)
            for each in _dependents(connection, self._existing(connection, account, "patients", loser)):
                self._write(connection, account, each.resource, each.id, patient_id=int(survivor))

    def add(self, account: str, resource: str, body: dict[str, Any], **columns: Any) -> str:
        """Add a record and return its id; `columns` may include any column."""
        now = self.timestamp()
        with self.writing() as connection:
            columns["id"] = int(columns.get("id") or _next_id(connection, account, resource))
            record = Record(account, resource, body=body, **{"created_at": now, "updated_at": now, **columns})
            try:
                connection.execute(INSERT, record.row())
            except sqlite3.IntegrityError:
                raise SandboxError(f"{account} already has {resource}/{record.id}.") from None
        return str(record.id)

    def add_many(self, records: Iterable[Record]) -> None:
        with self.writing() as connection:
            connection.executemany(INSERT, (record.row() for record in records))

    def for_patient(self, account: str, resource: str, patient_id: int | str) -> list[Record]:
        """Return a patient's records of one resource, including archived and cancelled ones, by start time."""
        sql = "SELECT * FROM records WHERE account = ? AND resource = ? AND patient_id = ? AND deleted_at IS NULL"
        with self.reading() as connection:
            rows = connection.execute(sql, (account, resource, int(patient_id))).fetchall()
        return sorted(map(Record.from_row, rows), key=lambda each: (each.body.get("starts_at", ""), each.id))

    def all(self, account: str, resource: str) -> list[Record]:
        """Return every record of a small resource, such as practitioners."""
        sql = "SELECT * FROM records WHERE account = ? AND resource = ? AND deleted_at IS NULL ORDER BY id"
        with self.reading() as connection:
            return [Record.from_row(row) for row in connection.execute(sql, (account, resource)).fetchall()]

    def _change(self, account: str, resource: str, id: int | str, **changes: Any) -> None:
        with self.writing() as connection:
            self._write(connection, account, resource, id, **changes)

    def _write(
        self, connection: sqlite3.Connection, account: str, resource: str, id: int | str, **changes: Any
    ) -> None:
        found = self._existing(connection, account, resource, id)
        columns = {name: changes.pop(name) for name in COLUMNS if name in changes}
        columns.setdefault("updated_at", self.timestamp())
        changed = replace(found, body={**found.body, **changes}, **columns)
        settings = ", ".join(f"{name} = ?" for name in (*COLUMNS, "body"))
        sql = f"UPDATE records SET {settings} WHERE account = ? AND resource = ? AND id = ?"
        connection.execute(sql, (*changed.row()[2:], account, resource, found.id))

    def _existing(self, connection: sqlite3.Connection, account: str, resource: str, id: int | str) -> Record:
        found = _unless_deleted(_find(connection, account, resource, id))
        if not found:
            raise SandboxError(f"{account} has no {resource}/{id}.")
        return found


def pop_columns(fields: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Pop the columns with these names from the fields of a new record and return them."""
    return {name: fields.pop(name) for name in names & fields.keys()}


def _find(connection: sqlite3.Connection, account: str, resource: str, id: int | str) -> Record | None:
    if resource not in RESOURCES:
        raise SandboxError(f"The sandbox has no resource {resource}.")
    text = str(id)
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) < 2**63):
        return None
    sql = "SELECT * FROM records WHERE account = ? AND resource = ? AND id = ?"
    row = connection.execute(sql, (account, resource, int(text))).fetchone()
    return Record.from_row(row) if row else None


def _unless_deleted(record: Record | None) -> Record | None:
    return record if record and not record.deleted_at else None


def _dependents(connection: sqlite3.Connection, record: Record) -> list[Record]:
    rows = []
    for resource, field in DEPENDENTS.get(record.resource, {}).items():
        column = RESOURCES[resource].fields[field].sql
        sql = f"SELECT * FROM records WHERE account = ? AND resource = ? AND {column} = ? AND deleted_at IS NULL"
        rows += connection.execute(sql, (record.account, resource, record.id)).fetchall()
    return [Record.from_row(row) for row in rows]


def _next_id(connection: sqlite3.Connection, account: str, resource: str) -> int:
    sql = "SELECT max(id) FROM records WHERE account = ? AND resource = ? AND id < ?"
    sequence = BOOKINGS if resource in BOOKINGS else (resource,)
    latest = [connection.execute(sql, (account, each, ID_CEILING)).fetchone()[0] or 0 for each in sequence]
    return max(max(latest) + 7, FIRST_ID)
