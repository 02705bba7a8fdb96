"""PyAirbyte: a declarative source, read in this process, into its PostgreSQL cache."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import airbyte
from airbyte.caches import PostgresCache
from airbyte.secrets.base import SecretString

from bench.peers.columns import BOOLEANS, LISTS, MOMENTS, OBJECTS, TEXTS
from bench.peers.reading import API_URL, ARCHIVED_TOO, DATABASE_URL, HEADERS, KEY

ADDRESS = urlsplit(DATABASE_URL)


class SocketCache(PostgresCache):
    """Its own settings know no unix socket; SQLAlchemy does."""

    def get_sql_alchemy_url(self) -> SecretString:
        folder = parse_qs(ADDRESS.query)["host"][0]
        return SecretString(f"postgresql+psycopg2://{self.username}@/{self.database}?host={folder}&port={self.port}")


def main() -> None:
    source = airbyte.get_source("source-cliniko", config={}, source_manifest=manifest(), install_if_missing=False)
    source.select_all_streams()
    cache = SocketCache(
        host="localhost",
        port=ADDRESS.port or 5432,
        username=ADDRESS.username or "",
        password="",
        database=ADDRESS.path.lstrip("/"),
        schema_name="clinic",
        cache_dir=Path(os.environ["BENCH_FOLDER"]),
    )
    source.read(cache=cache, force_full_refresh=True, write_strategy="merge")


def manifest() -> dict[str, Any]:
    stream = {
        "type": "DeclarativeStream",
        "name": "patients",
        "primary_key": ["id"],
        "retriever": {
            "type": "SimpleRetriever",
            "requester": _requester(),
            "paginator": _paginator(),
            "record_selector": {
                "type": "RecordSelector",
                "extractor": {"type": "DpathExtractor", "field_path": ["patients"]},
            },
        },
        "schema_loader": {"type": "InlineSchemaLoader", "schema": schema()},
    }
    check = {"type": "CheckStream", "stream_names": ["patients"]}
    spec = {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}}
    return {"version": "6.0.0", "type": "DeclarativeSource", "check": check, "spec": spec, "streams": [stream]}


def _requester() -> dict[str, Any]:
    return {
        "type": "HttpRequester",
        "url_base": API_URL,
        "path": "/patients",
        "http_method": "GET",
        "authenticator": {"type": "BasicHttpAuthenticator", "username": KEY, "password": ""},
        "request_headers": HEADERS,
        "request_parameters": {"q[]": ARCHIVED_TOO, "per_page": "100"},
    }


def _paginator() -> dict[str, Any]:
    return {
        "type": "DefaultPaginator",
        "page_token_option": {"type": "RequestPath"},
        "pagination_strategy": {
            "type": "CursorPagination",
            "cursor_value": "{{ response['links'].get('next') }}",
            "stop_condition": "{{ not response['links'].get('next') }}",
        },
    }


def schema() -> dict[str, Any]:
    kinds = {"string": [*MOMENTS, *TEXTS], "boolean": BOOLEANS, "array": LISTS, "object": OBJECTS}
    properties = {name: {"type": ["null", kind]} for kind, names in kinds.items() for name in names}
    return {"type": "object", "additionalProperties": True, "properties": properties}


if __name__ == "__main__":
    main()
