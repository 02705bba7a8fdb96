"""How the simple importers read: one page after the other, in Cliniko's default order, as its reference shows."""

import os
from collections.abc import Iterator
from typing import Any

import requests

API_URL = os.environ["BENCH_API_URL"]
DATABASE_URL = os.environ["BENCH_DATABASE_URL"]
KEY = os.environ["BENCH_KEY"]
HEADERS = {"Accept": "application/json", "User-Agent": "Bench (ops@sidechart.example)"}
ARCHIVED_TOO = "archived_at:*"


def session() -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    made.auth = (KEY, "")
    made.headers.update(HEADERS)
    return made


def pages(*filters: str, sort: str | None = None) -> Iterator[list[dict[str, Any]]]:
    """Every page of patients under these filters, by following `links.next`."""
    with session() as client:
        asked: dict[str, Any] = {"q[]": [ARCHIVED_TOO, *filters], "per_page": 100, "sort": sort}
        answer = client.get(f"{API_URL}/patients", params=asked, timeout=60)
        while True:
            answer.raise_for_status()
            body = answer.json()
            yield body["patients"]
            if "next" not in body["links"]:
                return
            answer = client.get(body["links"]["next"], timeout=60)
