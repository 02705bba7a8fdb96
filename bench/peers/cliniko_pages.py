"""Read Cliniko page by page in its default order, as its reference shows."""

import os
from collections.abc import Iterator
from typing import Any

import requests

API_URL = os.environ["BENCH_API_URL"]
DATABASE_URL = os.environ["BENCH_DATABASE_URL"]
KEY = os.environ["BENCH_KEY"]
HEADERS = {"Accept": "application/json", "User-Agent": "Bench (ops@sidechart.example)"}
INCLUDE_ARCHIVED = "archived_at:*"


def session() -> requests.Session:
    client = requests.Session()
    client.trust_env = False
    client.auth = (KEY, "")
    client.headers.update(HEADERS)
    return client


def pages(*filters: str, sort: str | None = None) -> Iterator[list[dict[str, Any]]]:
    """Yield every page of patients with these filters, following `links.next`."""
    with session() as client:
        parameters: dict[str, Any] = {"q[]": [INCLUDE_ARCHIVED, *filters], "per_page": 100, "sort": sort}
        response = client.get(f"{API_URL}/patients", params=parameters, timeout=60)
        while True:
            response.raise_for_status()
            body = response.json()
            yield body["patients"]
            if "next" not in body["links"]:
                return
            response = client.get(body["links"]["next"], timeout=60)
