"""Measure time and memory of a full export, beside plain COPY to gzip."""

import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench.paths import HOME
from bench.processes import ProcessUsage, measure, run_command
from bench.services import new_database
from bench.subject_list import SIDECHART
from bench.subjects import Workspace, schema_of
from bench.sync.options import Options
from bench.sync.subject_runs import Log

APPOINTMENTS = 10  # per patient
SMALLER = 10  # a clinic this many times smaller shows whether memory grows


def run(options: Options, log: Log) -> dict[str, Any]:
    """Measure both in turn, so that ratios compare runs close in time."""
    large = _measured(options.patients, options.runs, log)
    small = _measured(max(options.patients // SMALLER, 1), 1, log)
    return large | {"megabytes_of_a_tenth": small["megabytes"]}


def _measured(patients: int, runs: int, log: Log) -> dict[str, Any]:
    log(f"export: {patients:,} patients with {APPOINTMENTS} appointments each")
    with new_database("bench_export") as database, tempfile.TemporaryDirectory() as folder:
        workspace = Workspace("http://127.0.0.1:9/v1", database, Path(folder))
        SIDECHART.migrate(workspace)
        words = (sys.executable, "-m", "bench.export.create_clinic", workspace.label, str(patients), str(APPOINTMENTS))
        run_command(*words, environment=SIDECHART.environment(workspace))
        pairs = [(_baseline(workspace, number), _sidechart(workspace, number)) for number in range(runs)]
        size = sum(path.stat().st_size for path in Path(folder).glob("exports-0.zip"))
    baselines, exports = zip(*pairs, strict=True)
    return {
        "patients": patients,
        "appointments": patients * APPOINTMENTS,
        "seconds": median(each.seconds for each in exports),
        "baseline_seconds": median(each.seconds for each in baselines),
        "times_the_baseline": median(export.seconds / baseline.seconds for baseline, export in pairs),
        "cpu_seconds": median(each.cpu_seconds for each in exports),
        "megabytes": max(each.megabytes for each in exports),
        "file_megabytes": size / 1e6,
    }


def _baseline(workspace: Workspace, number: int) -> ProcessUsage:
    file = str(workspace.folder / f"baseline-{number}.gz")
    words = [sys.executable, "-m", "bench.export.baseline", workspace.database_url, schema_of(workspace), file]
    return measure([words], SIDECHART.environment(workspace), HOME / "logs" / "export-baseline.log")


def _sidechart(workspace: Workspace, number: int) -> ProcessUsage:
    file = str(workspace.folder / f"exports-{number}.zip")
    words = [sys.executable, "manage.py", "clinic", "export", workspace.label, "--to", file, "--json"]
    return measure([words], SIDECHART.environment(workspace), HOME / "logs" / "export-exports.log")
