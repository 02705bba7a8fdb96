"""Call what a worker and beat call, in one process, and print the measurements as JSON.

`run_tick`, `advance_schedule` and `dispatch` depend on the sync's internals.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any
from unittest.mock import patch

import django
from requests.adapters import HTTPAdapter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saas.settings")
django.setup()

from django.db import connection
from django.utils import timezone

from bench.services import control
from ops import onboarding
from saas.celery import app
from sync import tasks
from sync.cliniko.client import ApiKey
from tenants.models import Clinic

CHANGES = 50


def run_tick(schema_name: str) -> None:
    """Do what a worker does for a due clinic."""
    tasks.sync_clinic(schema_name=schema_name)


def advance_schedule(schema_name: str) -> None:
    """Make everything due a minute earlier, so that an hour of ticks takes seconds with the same requests."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE \"{schema_name}\".sync_cursor SET due_at = due_at - interval '1 minute'")


def dispatch() -> None:
    """Do what beat does every few seconds."""
    tasks.tick()


@dataclass
class Stopwatch:
    """Milliseconds of wall clock, of HTTP within it, and of CPU."""

    wall: float = 0.0
    http: float = 0.0
    cpu: float = 0.0

    @property
    def own(self) -> float:
        return self.wall - self.http


def timed(work: Callable[[], None]) -> Stopwatch:
    watch = Stopwatch()
    with _measure_http(watch):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        watch.wall = (time.perf_counter() - wall) * 1000
        watch.cpu = (time.process_time() - cpu) * 1000
    return watch


@contextmanager
def _measure_http(watch: Stopwatch) -> Any:
    """Measure from sending a request until its first byte; bodies of idle ticks are tiny."""
    send = HTTPAdapter.send

    def timed_send(*args: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return send(*args, **options)
        finally:
            watch.http += (time.perf_counter() - started) * 1000

    with patch.object(HTTPAdapter, "send", timed_send):
        yield


def measure_ticks(schema_name: str, api_url: str, ticks: int) -> dict[str, Any]:
    """Measure ticks of a clinic without changes, then some with changes."""
    _timed_tick(schema_name)  # the first one connects and may finish the import
    control(api_url, "forget")
    watches = [_timed_tick(schema_name) for _ in range(ticks)]
    requests = control(api_url, "forget")
    busy = []
    for _ in range(5):
        control(api_url, f"touch/{CHANGES}")
        busy.append(_timed_tick(schema_name))
    return {"ticks": ticks, "requests": requests, "idle": _medians(watches), "busy": _medians(busy)}


def _timed_tick(schema_name: str) -> Stopwatch:
    advance_schedule(schema_name)
    return timed(lambda: run_tick(schema_name))


def _medians(watches: list[Stopwatch]) -> dict[str, float]:
    return {name: median(getattr(watch, name) for watch in watches) for name in ("wall", "own", "cpu")}


def measure_dispatch(clinics: int, runs: int) -> dict[str, Any]:
    """Create clinics that are all due, and measure the time until the broker has a message for each."""
    Clinic.objects.bulk_create(
        Clinic(schema_name=f"clinic_{number:016x}", label=f"due-{number}", name="Due") for number in range(clinics)
    )
    app.control.purge()
    seconds, messages = [], []
    for _ in range(runs):
        Clinic.objects.update(sync_due_at=timezone.now())
        seconds.append(timed(dispatch).wall / 1000)
        messages.append(app.control.purge())
    return {"clinics": clinics, "messages": messages, "seconds": seconds}


def create_clinics(clinics: int) -> dict[str, Any]:
    """Create clinics with a key each, none of them due yet."""
    for number in range(clinics):
        label = f"importing-{number}"
        onboarding.create(label, name="Importing", owner_email=f"owner@{label}.example")
        onboarding.set_key(label, ApiKey(f"bench-{number:016d}-au1"))
    Clinic.objects.update(sync_due_at=timezone.now() + timedelta(hours=1))
    return {"clinics": clinics}


def mark_all_due() -> dict[str, Any]:
    """Make all clinics due."""
    Clinic.objects.update(sync_due_at=timezone.now())
    return {}


def main() -> None:
    action, *words = sys.argv[1:]
    actions = {
        "idle": lambda: measure_ticks(words[0], words[1], int(words[2])),
        "dispatch": lambda: measure_dispatch(int(words[0]), int(words[1])),
        "create_clinics": lambda: create_clinics(int(words[0])),
        "mark_all_due": mark_all_due,
    }
    print(json.dumps(actions[action]()))
    connection.close()


if __name__ == "__main__":
    main()
