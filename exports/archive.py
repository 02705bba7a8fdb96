"""An export: one moment of the clinic we are inside of, read in one transaction and sent into a ZIP as it comes."""

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

from exports import queries, spreadsheets
from exports.contents import NOT_EXPORTED, TABLES, Table
from sync.read.patients import clinic_facts
from tenants.models import Clinic

PIECE = 1 << 18  # bytes that are collected before they are packed
# The first statement of a transaction alone may say so.
ONE_MOMENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


@dataclass(frozen=True)
class Packed:
    """A file in the ZIP: its length unpacked, its digest, and how many records it holds (None: it is no table)."""

    name: str
    bytes: int
    sha256: str
    records: int | None = None


@dataclass(frozen=True)
class Export:
    """What is in a ZIP, and the moment that it shows."""

    taken_at: datetime
    zone: str
    files: tuple[Packed, ...]

    @property
    def records(self) -> dict[str, int]:
        """By resource, as many as its file has lines."""
        return {each.name.removesuffix(".jsonl"): each.records or 0 for each in self.files if ".jsonl" in each.name}


def write(file: BinaryIO, clinic: Clinic) -> Export:
    """Write the ZIP of `clinic`, whose door we are inside of. No more than a few pieces are ever in memory.

    Raises OSError when the file cannot be written.
    """
    with _one_moment() as (cursor, taken_at), ZipFile(file, "w", ZIP_DEFLATED) as archive:
        zone = clinic_facts().time_zone
        pack = Packer(archive, taken_at.astimezone(ZoneInfo(zone)))
        context = {"clinic": clinic, "tables": TABLES, "taken_at": taken_at, "zone": zone}
        with timezone.override(zone):
            readme = render_to_string("exports/README.txt", context)
        files = [pack.add("README.txt", [readme.encode()])]
        for table in TABLES:
            files += [
                pack.table(cursor, f"{table.name}.jsonl", queries.json_lines(table)),
                pack.table(cursor, f"{table.name}.csv", queries.csv(table, zone)),
            ]
        made = Export(taken_at, zone, tuple(files))
        pack.add("manifest.json", [_manifest(made, clinic)])
        return made


def count() -> tuple[datetime, dict[str, int]]:
    """The moment, and how many records of each resource an export of the clinic we are inside of would hold."""
    with _one_moment() as (cursor, taken_at):
        return taken_at, {table.name: _counted(cursor, table) for table in TABLES}


def _counted(cursor: Any, table: Table) -> int:
    cursor.execute(queries.count(table))
    return int(cursor.fetchone()[0])


class Packer:
    """Puts files into a ZIP, counting and digesting what goes through."""

    def __init__(self, archive: ZipFile, at: datetime):
        self._archive = archive
        self._at = at.timetuple()[:6]

    def add(self, name: str, pieces: Iterable[bytes]) -> Packed:
        entry = ZipInfo(name, self._at)
        entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o600 << 16
        length, digest = 0, sha256()
        with self._archive.open(entry, "w", force_zip64=True) as packed:
            for piece in pieces:
                packed.write(piece)
                digest.update(piece)
                length += len(piece)
        return Packed(name, length, digest.hexdigest())

    def table(self, cursor: Any, name: str, statement: str) -> Packed:
        """What the statement copies out."""
        pieces = sheet_pieces(cursor, statement) if name.endswith(".csv") else json_pieces(cursor, statement)
        packed = self.add(name, pieces)
        return Packed(name, packed.bytes, packed.sha256, cursor.rowcount)


def json_pieces(cursor: Any, statement: str) -> Iterator[bytes]:
    """Rows as COPY sends them, in pieces of whole lines: JSON has no bare line end, so that only doubled backslashes
    are to be undone."""
    for piece in _pieces(cursor, statement):
        yield piece.replace(b"\\\\", b"\\")


def sheet_pieces(cursor: Any, statement: str) -> Iterator[bytes]:
    yield spreadsheets.BYTE_ORDER_MARK.encode()
    yield from _pieces(cursor, statement)


def _pieces(cursor: Any, statement: str) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    with cursor.copy(statement) as rows:
        for row in rows:
            held.append(bytes(row))
            size += len(row)
            if size >= PIECE and held[-1].endswith(b"\n"):
                yield b"".join(held)
                held, size = [], 0
    yield b"".join(held)


@contextmanager
def _one_moment() -> Iterator[tuple[Any, datetime]]:
    """A cursor that sees the clinic as it is now, whatever is written meanwhile, and the time by the database."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(ONE_MOMENT)
        cursor.execute("SELECT statement_timestamp()")
        yield cursor, cursor.fetchone()[0]


def _manifest(made: Export, clinic: Clinic) -> bytes:
    content = {
        "format": 1,
        "clinic": {"label": clinic.label, "name": clinic.name, "state": clinic.state, "since": clinic.created_at},
        "taken_at": made.taken_at,
        "time_zone": made.zone,
        "files": [asdict(each) for each in made.files],
        "left_out": NOT_EXPORTED | _columns_left_out(TABLES),
        "audit_log_checked": {"lines": clinic.audit_length, "digest": clinic.audit_head},
    }
    return json.dumps(content, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1).encode()


def _columns_left_out(tables: Iterable[Table]) -> dict[str, str]:
    return {f"{table.model}.{column}": why for table in tables for column, why in table.without.items()}
