"""Check that a long import by beat and a worker uses its allowance of Cliniko's rate limit, and never more."""

import tempfile
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from flask import Response

from bench.fake_cliniko.patients import ACCOUNT
from bench.services import new_database
from bench.subject_list import SIDECHART
from bench.subjects import Workspace
from bench.sync.celery_processes import celery, run_in_process
from bench.sync.options import Options
from bench.sync.subject_runs import Log
from sandbox.cliniko.app import create_app
from sandbox.cliniko.server import serve
from sandbox.cliniko.store import Store

LIMIT, RESERVE = 200, 60  # requests per minute, and of these the ones reserved for launches
MINUTE = 60.0
Requests = list[tuple[float, int]]  # time in seconds and response status


def run(options: Options, log: Log) -> dict[str, Any]:
    """Import a clinic for `limited_seconds` from the sandbox, which refuses requests above the limit."""
    log(f"limit: {options.limited_patients:,} patients at {LIMIT} requests/minute, {options.limited_seconds} s")
    with new_database("bench_limit") as database, tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        requests, workspace = _limited_clinic(database, Path(folder), options.limited_patients, running)
        SIDECHART.prepare(workspace)
        requests.clear()
        environment = SIDECHART.environment(workspace) | {
            "CLINIKO_REQUESTS_PER_MINUTE": str(LIMIT),
            "CLINIKO_REQUESTS_RESERVED": str(RESERVE),
        }
        running.enter_context(celery(environment, "limit", "worker", "--concurrency=1"))
        running.enter_context(celery(environment, "limit", "beat", f"--schedule={folder}/beat"))
        run_in_process(environment, "mark_all_due")
        time.sleep(options.limited_seconds)
        return summarize(list(requests))


def summarize(requests: Requests) -> dict[str, Any]:
    """Return the counts of requests and refusals, the most per minute, the longest pause and the used share.

    The share is of background work's allowance, from the time between a request and the one an allowance later. None
    with fewer requests.
    """
    allowed = LIMIT - RESERVE
    times = [at for at, _ in requests]
    most = max((sum(start <= at < start + MINUTE for at in times) for start in times), default=0)
    intervals = [later - earlier for earlier, later in zip(times, times[allowed:], strict=False)]
    return {
        "requests": len(requests),
        "refused": sum(status == 429 for _, status in requests),
        "most_in_a_minute": most,
        "share": MINUTE / median(intervals) if intervals else None,
        "longest_pause": max((later - earlier for earlier, later in pairwise(times)), default=0.0),
    }


def _limited_clinic(database: str, folder: Path, patients: int, running: ExitStack) -> tuple[Requests, Workspace]:
    store = Store(folder / "cliniko.sqlite3")
    running.callback(store.close)
    store.add_account(ACCOUNT, seed=7, patients=patients)
    app = create_app(store, requests_per_minute=LIMIT)
    requests: Requests = []

    @app.after_request
    def record(response: Response) -> Response:
        requests.append((time.monotonic(), response.status_code))
        return response

    address = running.enter_context(serve(app, 0))
    return requests, Workspace(f"{address}/api/au1/v1", database, folder, key=store.key(ACCOUNT))
