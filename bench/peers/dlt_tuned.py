"""dlt as fast as we could make it: pages from a generator, one payload column, COPY, upsert.

No child tables, no inference. `dlt_tuned rows` yields rows; `dlt_tuned` yields Arrow tables.
"""

import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import dlt
import pyarrow as pa

from bench.peers.cliniko_pages import pages
from bench.peers.dlt_pipeline import pipeline

TUNING = {
    "NORMALIZE__WORKERS": "1",  # Arrow needs little normalizing; more workers only start processes
    "LOAD__WORKERS": "4",
    "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "5000",  # files small enough to load in parallel
    "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS": "5000",
    "EXTRACT__DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
    "NORMALIZE__DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
}
TIMESTAMP = pa.timestamp("us", tz="UTC")
TYPES = {"id": pa.string(), "updated_at": TIMESTAMP, "archived_at": TIMESTAMP, "payload": pa.string()}
COLUMNS: Any = {
    "id": {"data_type": "text", "nullable": False},
    "updated_at": {"data_type": "timestamp"},
    "archived_at": {"data_type": "timestamp"},
    "payload": {"data_type": "json"},
}
UPSERT: Any = {"disposition": "merge", "strategy": "upsert"}


def main(mode: str) -> None:
    os.environ.update(TUNING)

    @dlt.resource(name="patients", primary_key="id", write_disposition=UPSERT, columns=COLUMNS, max_table_nesting=0)
    def patients() -> Iterator[Any]:
        for records in pages():
            rows = [row_of(record) for record in records]
            yield pa.Table.from_pylist(rows, schema=pa.schema(TYPES)) if mode == "arrow" else rows

    pipeline().run(patients(), loader_file_format="csv")


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": record["id"],
        "updated_at": datetime.fromisoformat(record["updated_at"]),
        "archived_at": datetime.fromisoformat(record["archived_at"]) if record["archived_at"] else None,
        "payload": json.dumps(record),
    }


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "arrow")
