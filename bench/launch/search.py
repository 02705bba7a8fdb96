"""Measure searches in a large clinic."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.processes import run_command
from bench.services import new_database
from bench.subject_list import SIDECHART
from bench.subjects import Workspace
from bench.sync.options import Options
from bench.sync.subject_runs import Log

RUNS = 41


def run(options: Options, log: Log) -> dict[str, Any]:
    """Measure typical searches: milliseconds by text, and the slowest median."""
    patients = options.searched_patients
    log(f"search: {patients:,} patients")
    with new_database("bench_search") as database, tempfile.TemporaryDirectory() as folder:
        workspace = Workspace("http://127.0.0.1:9/v1", database, Path(folder))
        SIDECHART.migrate(workspace)
        words = (sys.executable, "-m", "bench.launch.search_process", str(patients), str(RUNS))
        output = run_command(*words, environment=SIDECHART.environment(workspace))
    result: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return result | {"slowest": max(each["median"] for each in result["typed"].values())}
