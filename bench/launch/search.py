"""How long a search takes over a large clinic."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.children import command
from bench.lineup import SIDECHART
from bench.services import new_database
from bench.subjects import Place
from bench.sync.attempts import Say

PATIENTS = 50_000
RUNS = 41
TARGET_MILLISECONDS = 50  # at the median of the slowest of the texts


def run_search(say: Say, *, patients: int = PATIENTS, runs: int = RUNS) -> dict[str, Any]:
    """What people type to find somebody among so many patients: milliseconds by text, and the slowest median."""
    say(f"search: {patients:,} patients")
    with new_database("bench_search") as database, tempfile.TemporaryDirectory() as folder:
        place = Place("http://127.0.0.1:9/v1", database, Path(folder))
        SIDECHART.migrate(place)
        words = (sys.executable, "-m", "bench.launch.inside", str(patients), str(runs))
        output = command(*words, environment=SIDECHART.environment(place))
    told: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return told | {"slowest": max(each["median"] for each in told["typed"].values())}
