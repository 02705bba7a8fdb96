"""Check that many clinics that import at once on two worker processes take slices fairly."""

import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

from bench.paths import BenchError
from bench.services import fake_cliniko, new_database
from bench.subject_list import SIDECHART
from bench.subjects import Workspace
from bench.sync.celery_processes import celery, run_in_process
from bench.sync.options import Options
from bench.sync.subject_runs import Log

PATIENTS = 1_000  # of each clinic: three slices of bench.settings
TIMEOUT_SECONDS = 900
Slice = tuple[float, float, str]  # start, end and schema of the clinic


def run(options: Options, log: Log) -> dict[str, Any]:
    """Import all clinics at once, and count the slices that others ran while one waited.

    Raises BenchError if the imports don't finish.
    """
    log(f"fairness: {options.importing} clinics to create")
    with (
        fake_cliniko(PATIENTS) as api,
        new_database("bench_fairness") as database,
        tempfile.TemporaryDirectory() as folder,
    ):
        workspace = Workspace(api, database, Path(folder))
        SIDECHART.migrate(workspace)
        run_in_process(_environment(workspace), "create_clinics", str(options.importing))
        log(f"fairness: {options.importing} imports on two worker processes")
        started = time.time()
        run_in_process(_environment(workspace), "mark_all_due")
        with ExitStack() as processes:
            processes.enter_context(celery(_environment(workspace), "fairness", "worker", "--concurrency=2"))
            processes.enter_context(celery(_environment(workspace), "fairness", "beat", f"--schedule={folder}/beat"))
            slices = _slices_when_done(database, options.importing)
    return {
        "clinics": options.importing,
        "patients": PATIENTS,
        "slices": len(slices),
        "seconds": max(end for _, end, _ in slices) - started,
        "slices_of_another_while_one_waits": max_slices_of_another(slices, started),
    }


def max_slices_of_another(slices: list[Slice], started: float) -> int:
    """Return the most slices that one clinic ran while another waited for its first or next slice."""
    ordered = sorted(slices)
    most, waiting_since = 0, dict.fromkeys((schema for _, _, schema in slices), started)
    for start, end, schema in ordered:
        others = Counter(other for at, _, other in ordered if other != schema and waiting_since[schema] <= at < start)
        most = max(most, *others.values(), 0)
        waiting_since[schema] = end
    return most


def _environment(workspace: Workspace) -> dict[str, str]:
    return SIDECHART.environment(workspace) | {"DJANGO_SETTINGS_MODULE": "bench.settings"}


def _slices_when_done(database: str, clinics: int) -> list[Slice]:
    """Wait until every clinic has finished its import, and return all slices."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with psycopg.connect(database, autocommit=True) as connection:
        schemas = [row[0] for row in connection.execute("SELECT schema_name FROM tenants_clinic")]
        sql = " UNION ALL ".join(
            f"SELECT extract(epoch FROM started_at)::float8, extract(epoch FROM finished_at)::float8,"
            f" '{schema}', result FROM {schema}.sync_syncrun"
            for schema in schemas
        )
        while time.monotonic() < deadline:
            rows = connection.execute(sql).fetchall()
            if len({schema for _, _, schema, result in rows if result == "done"}) == clinics:
                return [(start, end, schema) for start, end, schema, _ in rows]
            time.sleep(2)
    raise BenchError(f"Not all {clinics} clinics were imported within {TIMEOUT_SECONDS} seconds.")
