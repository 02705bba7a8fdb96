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
from bench.sync.options import Options

RUNS = 41


def run(options: Options, say: Say) -> dict[str, Any]:
    """What people type to find somebody among so many patients: milliseconds by text, and the slowest median."""
    patients = options.searched_patients
    say(f"search: {patients:,} patients")
    with new_database("bench_search") as database, tempfile.TemporaryDirectory() as folder:
        place = Place("http://127.0.0.1:9/v1", database, Path(folder))
        SIDECHART.migrate(place)
        words = (sys.executable, "-m", "bench.launch.inside", str(patients), str(RUNS))
        output = command(*words, environment=SIDECHART.environment(place))
    told: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return told | {"slowest": max(each["median"] for each in told["typed"].values())}
