"""requests + Django's bulk_create(update_conflicts): a page, one statement.

`bulk_create all` reads the whole list each time. Told `newest` or `now`, it reads all once and then only what changed
since: the latest updated_at that it holds, or the time when its last run was over.
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.peers.django_table import Patient, make_table
from bench.peers.reading import pages

COLUMNS = ("updated_at", "archived_at", "payload")
NOTE = Path(os.environ["BENCH_FOLDER"]) / "last_run"


def main(cursor: str) -> None:
    make_table()
    since = {"all": lambda: None, "newest": newest, "now": noted}[cursor]()
    filters = [f"updated_at:>={since:%Y-%m-%dT%H:%M:%SZ}"] if since else []
    for records in pages(*filters):
        rows = [Patient(**row_of(record)) for record in records]
        Patient.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=COLUMNS)
    NOTE.write_text(datetime.now(UTC).isoformat())


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    moments = {name: record[name] or None for name in ("updated_at", "archived_at")}
    return {"id": record["id"], "payload": record, **moments}


def newest() -> datetime | None:
    held = Patient.objects.order_by("-updated_at").first()
    return held.updated_at if held else None


def noted() -> datetime | None:
    return datetime.fromisoformat(NOTE.read_text()) if NOTE.exists() else None


if __name__ == "__main__":
    main(sys.argv[1])
