"""dlt as in its tutorial: the rest_api source, merge by id, defaults otherwise.

`dlt_default` reads the list page by page; `dlt_default live` without archived patients, which is Cliniko's default.
`dlt_default incremental` reads changes sorted by updated_at, with dlt's cursor.
"""

import sys
from typing import Any

from dlt.sources.rest_api import rest_api_source

from bench.peers.cliniko_pages import API_URL, HEADERS, INCLUDE_ARCHIVED, KEY
from bench.peers.dlt_pipeline import pipeline


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
                # Of two versions in one load, keep the later one; by default dlt takes either.
                "columns": {"updated_at": {"dedup_sort": "desc"}},
                "endpoint": endpoint,
            },
        ],
    }


def endpoint(mode: str) -> dict[str, Any]:
    filters = [] if mode == "live" else [INCLUDE_ARCHIVED]
    options: dict[str, Any] = {
        "path": "patients",
        "params": {"per_page": 100, "q[]": filters},
        "data_selector": "patients",
    }
    if mode == "incremental":
        options["params"] = {"per_page": 100, "sort": "updated_at"}
        options["incremental"] = {
            "cursor_path": "updated_at",
            "initial_value": "1970-01-01T00:00:00Z",
            "start_param": "q[]",
            "convert": lambda since: [INCLUDE_ARCHIVED, f"updated_at:>={since}"],
        }
    return options


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "all")
