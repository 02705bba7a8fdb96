"""The patients that every subject imports: invented by the sandbox and serialized as by its API."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from random import Random
from typing import Any

from bench.fake_cliniko.records import Patient
from sandbox.cliniko.api.serializers import serialize
from sandbox.cliniko.clock import format_time
from sandbox.cliniko.data.records import Record
from sandbox.cliniko.seed.account import record_ids
from sandbox.cliniko.seed.account_settings import account_settings
from sandbox.cliniko.seed.patients import make_patient

ACCOUNT = "bench"
BASE = "https://api.au1.cliniko.com/v1"  # of the records' own links, which nobody follows
DISTINCT_BODIES = 20_000
IMPORTED_SHARE = 0.4  # from one import from another system


def invent_patients(count: int, *, seed: int) -> Iterator[Patient]:
    """Yield patients, the same for the same seed and day; bodies repeat after DISTINCT_BODIES."""
    random, now = Random(f"{seed}:{ACCOUNT}"), datetime.now(UTC)
    bodies = [make_patient(random, now.date()) for _ in range(min(count, DISTINCT_BODIES))]
    for position, (number, body) in enumerate(zip(islice(record_ids(), count), cycle(bodies))):
        yield _patient(_record(random, now, number, body, since_import=max(0, position / count - IMPORTED_SHARE)))


def _record(random: Random, now: datetime, number: int, body: dict[str, Any], *, since_import: float) -> Record:
    """Imported patients share one created_at; the others registered one by one since."""
    created = now - timedelta(days=900 - 898 * since_import / (1 - IMPORTED_SHARE))
    updated = created + (now - created) * 0.999 * random.choice((0, random.random()))
    archived = format_time(updated) if random.random() < 0.03 else None
    return Record(ACCOUNT, "patients", number, format_time(created), format_time(updated), body, archived_at=archived)


def _patient(record: Record) -> Patient:
    body = compact(serialize(record, BASE))
    return Patient(record.id, record.created_at, record.updated_at, record.archived_at or "", body)


def public_settings() -> dict[str, Any]:
    return {**account_settings(ACCOUNT), "links": {"self": f"{BASE}/settings/public"}}


def user() -> dict[str, Any]:
    """Return the user of every key."""
    name = {"first_name": "Robin", "last_name": "Bench", "email": "robin@bench.example"}
    return {"id": "1", **name, "role": "administrator", "user_active": True, "links": {"self": f"{BASE}/users/1"}}


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
