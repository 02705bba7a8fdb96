"""The product from within: what a worker and beat do, in a process that has nothing else to do. Answers in JSON.

Three functions know the engine: `tick_of`, `pass_a_minute` and `dispatch`. Whoever changes its doors changes them here.
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


def tick_of(schema_name: str) -> None:
    """What a worker does when a clinic is due."""
    tasks.sync_clinic(schema_name=schema_name)


def pass_a_minute(schema_name: str) -> None:
    """What is due at a time is due a minute sooner, so that an hour of ticks takes seconds and asks what it would."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE \"{schema_name}\".sync_cursor SET due_at = due_at - interval '1 minute'")


def dispatch() -> None:
    """What beat has done every few seconds."""
    tasks.tick()


@dataclass
class Stopwatch:
    """Milliseconds of one piece of work: by the clock, of it in HTTP, and of the processor."""

    wall: float = 0.0
    http: float = 0.0
    cpu: float = 0.0

    @property
    def own(self) -> float:
        return self.wall - self.http


def timed(work: Callable[[], None]) -> Stopwatch:
    watch = Stopwatch()
    with _http_timed(watch):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        watch.wall = (time.perf_counter() - wall) * 1000
        watch.cpu = (time.process_time() - cpu) * 1000
    return watch


@contextmanager
def _http_timed(watch: Stopwatch) -> Any:
    """From sending a request until its first byte is there; bodies of idle ticks are tiny."""
    send = HTTPAdapter.send

    def timed_send(*args: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return send(*args, **options)
        finally:
            watch.http += (time.perf_counter() - started) * 1000

    with patch.object(HTTPAdapter, "send", timed_send):
        yield


def idle(schema_name: str, api_url: str, ticks: int) -> dict[str, Any]:
    """So many ticks of a clinic where nothing changes; then some that find changes."""
    _minute(schema_name)  # the first one connects, and may finish what the import left
    control(api_url, "forget")
    watches = [_minute(schema_name) for _ in range(ticks)]
    requests = control(api_url, "forget")
    busy = []
    for _ in range(5):
        control(api_url, f"touch/{CHANGES}")
        busy.append(_minute(schema_name))
    return {"ticks": ticks, "requests": requests, "idle": _medians(watches), "busy": _medians(busy)}


def _minute(schema_name: str) -> Stopwatch:
    pass_a_minute(schema_name)
    return timed(lambda: tick_of(schema_name))


def _medians(watches: list[Stopwatch]) -> dict[str, float]:
    return {name: median(getattr(watch, name) for watch in watches) for name in ("wall", "own", "cpu")}


def dispatching(clinics: int, runs: int) -> dict[str, Any]:
    """So many clinics, all due: how long until a message for each is in the broker."""
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


def found(clinics: int) -> dict[str, Any]:
    """So many new clinics with a key each, none of them due yet."""
    for number in range(clinics):
        label = f"importing-{number}"
        onboarding.create(label, name="Importing", owner_email=f"owner@{label}.example")
        onboarding.set_key(label, ApiKey(f"bench-{number:016d}-au1"))
    Clinic.objects.update(sync_due_at=timezone.now() + timedelta(hours=1))
    return {"clinics": clinics}


def make_due() -> dict[str, Any]:
    """All of them due at once, for beat to find."""
    Clinic.objects.update(sync_due_at=timezone.now())
    return {}


def main() -> None:
    action, *words = sys.argv[1:]
    actions = {
        "idle": lambda: idle(words[0], words[1], int(words[2])),
        "dispatch": lambda: dispatching(int(words[0]), int(words[1])),
        "found": lambda: found(int(words[0])),
        "make_due": make_due,
    }
    print(json.dumps(actions[action]()))
    connection.close()


if __name__ == "__main__":
    main()
