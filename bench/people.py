"""Whom every subject imports: the sandbox's inventions, custom fields included, as its API renders them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import dropwhile, takewhile
from random import Random
from typing import Any

from bench.shelf import Patient
from sandbox.cliniko.records import Record
from sandbox.cliniko.rendering import rendered
from sandbox.cliniko.seeding import Seeding
from sandbox.cliniko.settings import account_settings

ACCOUNT = "bench"
BASE = "https://api.au1.cliniko.com/v1"  # what records call themselves; nobody follows these links


def patients(count: int, *, seed: int) -> Iterator[Patient]:
    """So many patients, the same ones for the same seed and day."""
    random = Random(f"{seed}:{ACCOUNT}")
    seeding = Seeding(ACCOUNT, account_settings(ACCOUNT), random, datetime.now(UTC), count)
    after_clinic = dropwhile(lambda record: record.resource != "patients", seeding.records())
    for record in takewhile(lambda record: record.resource == "patients", after_clinic):
        yield _patient(record)


def _patient(record: Record) -> Patient:
    body = compact(rendered(record, BASE))
    return Patient(record.id, record.created_at, record.updated_at, record.archived_at or "", body)


def settings_page() -> dict[str, Any]:
    return {**account_settings(ACCOUNT), "links": {"self": f"{BASE}/settings/public"}}


def user() -> dict[str, Any]:
    """Whom every key belongs to."""
    name = {"first_name": "Robin", "last_name": "Bench", "email": "robin@bench.example"}
    return {"id": "1", **name, "role": "administrator", "user_active": True, "links": {"self": f"{BASE}/users/1"}}


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
