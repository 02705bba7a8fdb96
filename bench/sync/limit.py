"""A long import under Cliniko's limit of requests, by beat and a worker: is all that it allows used, and never more?"""

import tempfile
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from flask import Response

from bench.lineup import SIDECHART
from bench.people import ACCOUNT
from bench.services import new_database
from bench.subjects import Place
from bench.sync.attempts import Say
from bench.sync.options import Options
from bench.sync.worker import celery, inside
from sandbox.cliniko.app import create_app
from sandbox.cliniko.server import serve
from sandbox.cliniko.store import Store

LIMIT, RESERVE = 200, 60  # requests a minute, and of these the ones that are kept for launches
MINUTE = 60.0
Asked = list[tuple[float, int]]  # seconds, and the status of the answer


def run(options: Options, say: Say) -> dict[str, Any]:
    """Import a clinic for so many seconds from the sandbox, which refuses what is above the limit."""
    say(f"limit: {options.limited_patients:,} patients at {LIMIT} requests a minute, {options.limited_seconds} seconds")
    with new_database("bench_limit") as database, tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        asked, place = _limited_clinic(database, Path(folder), options.limited_patients, running)
        SIDECHART.prepare(place)
        asked.clear()
        environment = SIDECHART.environment(place) | {
            "CLINIKO_REQUESTS_PER_MINUTE": str(LIMIT),
            "CLINIKO_REQUESTS_RESERVED": str(RESERVE),
        }
        running.enter_context(celery(environment, "limit", "worker", "--concurrency=1"))
        running.enter_context(celery(environment, "limit", "beat", f"--schedule={folder}/beat"))
        inside(environment, "make_due")
        time.sleep(options.limited_seconds)
        return told_by(list(asked))


def told_by(asked: Asked) -> dict[str, Any]:
    """How many requests; how many were refused; the most in any minute; the share used of what background work may
    ask, from the time between a request and the one that is a whole allowance later (None with fewer requests)."""
    allowed = LIMIT - RESERVE
    times = [at for at, _ in asked]
    most = max((sum(start <= at < start + MINUTE for at in times) for start in times), default=0)
    rounds = [later - earlier for earlier, later in zip(times, times[allowed:], strict=False)]
    return {
        "requests": len(asked),
        "refused": sum(status == 429 for _, status in asked),
        "most_in_a_minute": most,
        "share": MINUTE / median(rounds) if rounds else None,
        "longest_pause": max((later - earlier for earlier, later in pairwise(times)), default=0.0),
    }


def _limited_clinic(database: str, folder: Path, patients: int, running: ExitStack) -> tuple[Asked, Place]:
    store = Store(folder / "cliniko.sqlite3")
    running.callback(store.close)
    store.add_account(ACCOUNT, seed=7, patients=patients)
    app = create_app(store, requests_per_minute=LIMIT)
    asked: Asked = []

    @app.after_request
    def note(response: Response) -> Response:
        asked.append((time.monotonic(), response.status_code))
        return response

    address = running.enter_context(serve(app, 0))
    return asked, Place(f"{address}/api/au1/v1", database, folder, key=store.key(ACCOUNT))
