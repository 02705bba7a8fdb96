"""Write a clinic's export as a ZIP, streamed from one database snapshot."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo
from zoneinfo import ZoneInfo

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.template.loader import render_to_string
from django.utils import timezone

from exports import queries
from exports.registry import excluded_tables, export_tables
from exports.spreadsheets import BYTE_ORDER_MARK
from sync.read.patients import clinic_facts
from tenants.models import Clinic

CHUNK_SIZE = 1 << 18  # bytes
SET_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"  # must be a transaction's first statement


@dataclass(frozen=True)
class PackedFile:
    """A file in the ZIP. `bytes` and `sha256` are of the uncompressed content; `records` is None unless a table."""

    name: str
    bytes: int
    sha256: str
    records: int | None = None


@dataclass(frozen=True)
class ExportSummary:
    """The time of an export's snapshot, the clinic's time zone and the files in the ZIP."""

    taken_at: datetime
    zone: str
    files: tuple[PackedFile, ...]

    @property
    def records(self) -> dict[str, int]:
        """Return the number of records by table."""
        return {each.name.removesuffix(".jsonl"): each.records or 0 for each in self.files if ".jsonl" in each.name}


def write(file: BinaryIO, clinic: Clinic) -> ExportSummary:
    """Write the ZIP of the current clinic, holding no more than a few chunks in memory.

    Raises OSError if the file can't be written.
    """
    with _snapshot() as (cursor, taken_at), ZipFile(file, "w", ZIP_DEFLATED) as archive:
        zone, tables = clinic_facts().time_zone, export_tables()
        packer = Packer(archive, taken_at.astimezone(ZoneInfo(zone)))
        context = {"clinic": clinic, "tables": tables, "taken_at": taken_at, "zone": zone}
        with timezone.override(zone):
            readme = render_to_string("exports/README.txt", context)
        files = [packer.add("README.txt", [readme.encode()])]
        for table in tables:
            files += [
                packer.add_table(cursor, f"{table.name}.jsonl", queries.copy_json_lines(table)),
                packer.add_table(cursor, f"{table.name}.csv", queries.copy_csv(table, zone)),
            ]
        summary = ExportSummary(taken_at, zone, tuple(files))
        packer.add("manifest.json", [_manifest(summary, clinic)])
        return summary


def count_records() -> tuple[datetime, dict[str, int]]:
    """Return the time, and how many records of each table an export of the current clinic would hold."""
    records = {}
    with _snapshot() as (cursor, taken_at):
        for table in export_tables():
            cursor.execute(queries.count_rows(table))
            records[table.name] = int(cursor.fetchone()[0])
    return taken_at, records


class Packer:
    """Adds files to a ZIP, with their length and digest."""

    def __init__(self, archive: ZipFile, at: datetime):
        self._archive = archive
        self._at = at.timetuple()[:6]

    def add(self, name: str, chunks: Iterable[bytes]) -> PackedFile:
        entry = ZipInfo(name, self._at)
        entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o600 << 16
        length, digest = 0, sha256()
        with self._archive.open(entry, "w", force_zip64=True) as packed:
            for chunk in chunks:
                packed.write(chunk)
                digest.update(chunk)
                length += len(chunk)
        return PackedFile(name, length, digest.hexdigest())

    def add_table(self, cursor: Any, name: str, statement: str) -> PackedFile:
        """Add the output of a COPY statement. `name` says whether it is CSV or JSON."""
        chunks = _csv_chunks(cursor, statement) if name.endswith(".csv") else _json_chunks(cursor, statement)
        packed = self.add(name, chunks)
        return PackedFile(name, packed.bytes, packed.sha256, cursor.rowcount)


def _json_chunks(cursor: Any, statement: str) -> Iterator[bytes]:
    for chunk in copy_chunks(cursor, statement):
        yield chunk.replace(b"\\\\", b"\\")  # JSON has no bare line ends, so COPY escapes nothing but backslashes


def _csv_chunks(cursor: Any, statement: str) -> Iterator[bytes]:
    yield BYTE_ORDER_MARK.encode()
    yield from copy_chunks(cursor, statement)


def copy_chunks(cursor: Any, statement: str) -> Iterator[bytes]:
    """Yield a COPY's output in chunks of about CHUNK_SIZE that end with whole lines."""
    buffer: list[bytes] = []
    size = 0
    with cursor.copy(statement) as rows:
        for row in rows:
            buffer.append(bytes(row))
            size += len(row)
            if size >= CHUNK_SIZE and buffer[-1].endswith(b"\n"):
                yield b"".join(buffer)
                buffer, size = [], 0
    yield b"".join(buffer)


@contextmanager
def _snapshot() -> Iterator[tuple[Any, datetime]]:
    """Yield a cursor in a read-only snapshot of the clinic, and the snapshot's time by the database's clock."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(SET_SNAPSHOT)
        cursor.execute("SELECT statement_timestamp()")
        yield cursor, cursor.fetchone()[0]


def _manifest(summary: ExportSummary, clinic: Clinic) -> bytes:
    left_out = {model._meta.label: reason for model, reason in excluded_tables().items()} | {
        f"{table.model._meta.label}.{column}": reason
        for table in export_tables()
        for column, reason in table.excluded.items()
    }
    content = {
        "format": 1,
        "clinic": {"label": clinic.label, "name": clinic.name, "state": clinic.state, "since": clinic.created_at},
        "taken_at": summary.taken_at,
        "time_zone": summary.zone,
        "files": [asdict(each) for each in summary.files],
        "left_out": left_out,
        "audit_log_checked": {"lines": clinic.audit_length, "digest": clinic.audit_head},
    }
    return json.dumps(content, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1).encode()
