"""requests + Django's bulk_create(update_conflicts): one statement per page.

`bulk_create all` reads the full list each time. `newest` and `now` read it once, and then only changes since the latest
stored updated_at, or since the end of the last run.
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.peers.cliniko_pages import pages
from bench.peers.django_table import Patient, create_table

COLUMNS = ("updated_at", "archived_at", "payload")
LAST_RUN_FILE = Path(os.environ["BENCH_FOLDER"]) / "last_run"


def main(cursor: str) -> None:
    create_table()
    since = {"all": lambda: None, "newest": newest, "now": last_run}[cursor]()
    filters = [f"updated_at:>={since:%Y-%m-%dT%H:%M:%SZ}"] if since else []
    for records in pages(*filters):
        rows = [Patient(**row_of(record)) for record in records]
        Patient.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=COLUMNS)
    LAST_RUN_FILE.write_text(datetime.now(UTC).isoformat())


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    times = {name: record[name] or None for name in ("updated_at", "archived_at")}
    return {"id": record["id"], "payload": record, **times}


def newest() -> datetime | None:
    latest = Patient.objects.order_by("-updated_at").first()
    return latest.updated_at if latest else None


def last_run() -> datetime | None:
    return datetime.fromisoformat(LAST_RUN_FILE.read_text()) if LAST_RUN_FILE.exists() else None


if __name__ == "__main__":
    main(sys.argv[1])
