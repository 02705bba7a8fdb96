"""A Singer tap for Cliniko's patients, as from the SDK's cookiecutter.

`singer_tap` reads the list page by page. `singer_tap incremental STATE` reads changes since the bookmark in the file
STATE, sorted by updated_at; the target's last state is saved there.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from requests import Response
from requests.auth import HTTPBasicAuth
from singer_sdk import RESTStream, Stream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BaseHATEOASPaginator

from bench.peers.cliniko_pages import API_URL, HEADERS, INCLUDE_ARCHIVED, KEY
from bench.peers.columns import BOOLEANS, LISTS, OBJECTS, TEXTS, TIMESTAMPS

OPEN = th.ObjectType(additional_properties=True)


class NextLink(BaseHATEOASPaginator):
    def get_next_url(self, response: Response) -> str | None:
        found: str | None = response.json()["links"].get("next")
        return found


class Patients(RESTStream[Any]):
    name = "patients"
    path = "/patients"
    url_base = API_URL
    primary_keys = ("id",)
    records_jsonpath = "$.patients[*]"
    schema = th.PropertiesList(
        *(th.Property(name, th.StringType) for name in TEXTS),
        *(th.Property(name, th.DateTimeType if name == "updated_at" else th.StringType) for name in TIMESTAMPS),
        *(th.Property(name, th.BooleanType) for name in BOOLEANS),
        *(th.Property(name, th.ArrayType(OPEN)) for name in LISTS),
        *(th.Property(name, OPEN) for name in OBJECTS),
    ).to_dict()

    @property
    def authenticator(self) -> HTTPBasicAuth:
        return HTTPBasicAuth(KEY, "")

    @property
    def http_headers(self) -> dict[str, str]:
        return HEADERS

    def get_new_paginator(self) -> NextLink:
        return NextLink()

    def get_url_params(self, context: Any, next_page_token: Any) -> Any:
        if next_page_token:
            return next_page_token.query
        parameters: dict[str, Any] = {"per_page": 100, "q[]": [INCLUDE_ARCHIVED]}
        if self.replication_key:
            parameters["sort"] = self.replication_key
            since = self.get_starting_timestamp(context)
            if since:
                parameters["q[]"].append(f"updated_at:>={since:%Y-%m-%dT%H:%M:%SZ}")
        return parameters


class SortedPatients(Patients):
    replication_key = "updated_at"
    is_sorted = False  # a changing list is not, and the SDK would stop


class Cliniko(Tap):
    name = "tap-cliniko"
    stream: type[Patients] = Patients

    def discover_streams(self) -> Iterable[Stream]:
        return [self.stream(self)]


def main(mode: str = "all", state: str = "") -> None:
    Cliniko.stream = SortedPatients if mode == "incremental" else Patients
    text = Path(state).read_text() if state and Path(state).exists() else ""
    Cliniko(config={}, state=json.loads(text) if text.strip() else None).sync_all()


if __name__ == "__main__":
    main(*sys.argv[1:])
