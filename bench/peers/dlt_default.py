"""dlt as its documentation has one begin: the rest_api source, merge by id, everything else as it comes.

`dlt_default` reads the list page by page; `dlt_default live` leaves archived patients out, as Cliniko does by itself.
`dlt_default incremental` reads what changed since, in the order of updated_at, with dlt's own cursor.
"""

import sys
from typing import Any

from dlt.sources.rest_api import rest_api_source

from bench.peers.dlt_place import pipeline
from bench.peers.reading import API_URL, ARCHIVED_TOO, HEADERS, KEY


def main(mode: str) -> None:
    pipeline().run(rest_api_source(source(endpoint(mode)), name="cliniko"))


def source(endpoint: dict[str, Any]) -> dict[str, Any]:
    return {
        "client": {
            "base_url": API_URL,
            "headers": HEADERS,
            "auth": {"type": "http_basic", "username": KEY, "password": ""},
            "paginator": {"type": "json_link", "next_url_path": "links.next"},
        },
        "resources": [
            {
                "name": "patients",
                "primary_key": "id",
                "write_disposition": "merge",
                # Of two versions in one load the later one; left to itself dlt takes either.
                "columns": {"updated_at": {"dedup_sort": "desc"}},
                "endpoint": endpoint,
            },
        ],
    }


def endpoint(mode: str) -> dict[str, Any]:
    filters = [] if mode == "live" else [ARCHIVED_TOO]
    asked: dict[str, Any] = {
        "path": "patients",
        "params": {"per_page": 100, "q[]": filters},
        "data_selector": "patients",
    }
    if mode == "incremental":
        asked["params"] = {"per_page": 100, "sort": "updated_at"}
        asked["incremental"] = {
            "cursor_path": "updated_at",
            "initial_value": "1970-01-01T00:00:00Z",
            "start_param": "q[]",
            "convert": lambda since: [ARCHIVED_TOO, f"updated_at:>={since}"],
        }
    return asked


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "all")
