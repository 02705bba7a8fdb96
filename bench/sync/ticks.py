"""Measure ticks of a clinic without changes, and the dispatch of a thousand due clinics."""

import tempfile
from pathlib import Path
from typing import Any

from bench.processes import measure
from bench.services import fake_cliniko, new_database
from bench.subject_list import SIDECHART
from bench.subjects import Workspace, schema_of
from bench.sync.celery_processes import run_in_process
from bench.sync.imports import log_file, new_workspace
from bench.sync.options import Options
from bench.sync.subject_runs import Log


def run_idle(options: Options, log: Log) -> dict[str, Any]:
    """Measure an hour of ticks of one imported clinic."""
    log(f"idle: {options.ticks} ticks")
    with fake_cliniko(options.changing_patients) as api, new_workspace(SIDECHART, api) as workspace:
        measure(SIDECHART.commands(workspace), SIDECHART.environment(workspace), log_file(SIDECHART))
        return run_in_process(SIDECHART.environment(workspace), "idle", schema_of(workspace), api, str(options.ticks))


def run_dispatch(options: Options, log: Log) -> dict[str, Any]:
    """Measure the dispatch of clinics that are all due. They only exist as rows in public, as no worker enters them."""
    log(f"dispatch: {options.clinics:,} clinics")
    with new_database("bench_dispatch") as database, tempfile.TemporaryDirectory() as folder:
        workspace = Workspace("http://127.0.0.1:9/v1", database, Path(folder))
        SIDECHART.migrate(workspace)
        runs = max(options.runs, 3)
        return run_in_process(SIDECHART.environment(workspace), "dispatch", str(options.clinics), str(runs))
