"""How long the export of a whole clinic takes and what it holds in memory, beside plain COPY into gzip."""

import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench.children import Measured, command, measure
from bench.lineup import SIDECHART
from bench.places import HOME
from bench.services import new_database
from bench.subjects import Place, schema_of
from bench.sync.attempts import Say
from bench.sync.options import Options

APPOINTMENTS = 10  # of each patient
SMALLER = 10  # times, to see whether memory grows


def run(options: Options, say: Say) -> dict[str, Any]:
    """Both in turn, so that a ratio compares neighbours in time."""
    large = _measured(options.patients, options.runs, say)
    small = _measured(max(options.patients // SMALLER, 1), 1, say)
    return large | {"megabytes_of_a_tenth": small["megabytes"]}


def _measured(patients: int, runs: int, say: Say) -> dict[str, Any]:
    say(f"export: {patients:,} patients with {APPOINTMENTS} appointments each")
    with new_database("bench_export") as database, tempfile.TemporaryDirectory() as folder:
        place = Place("http://127.0.0.1:9/v1", database, Path(folder))
        SIDECHART.migrate(place)
        words = (sys.executable, "-m", "bench.export.furnish", place.label, str(patients), str(APPOINTMENTS))
        command(*words, environment=SIDECHART.environment(place))
        pairs = [(_floor(place, number), _ours(place, number)) for number in range(runs)]
        size = sum(path.stat().st_size for path in Path(folder).glob("ours-0.zip"))
    floors, ours = zip(*pairs, strict=True)
    return {
        "patients": patients,
        "appointments": patients * APPOINTMENTS,
        "seconds": median(each.seconds for each in ours),
        "floor_seconds": median(each.seconds for each in floors),
        "times_the_floor": median(mine.seconds / floor.seconds for floor, mine in pairs),
        "cpu_seconds": median(each.cpu_seconds for each in ours),
        "megabytes": max(each.megabytes for each in ours),
        "file_megabytes": size / 1e6,
    }


def _floor(place: Place, number: int) -> Measured:
    file = str(place.folder / f"floor-{number}.gz")
    words = [sys.executable, "-m", "bench.export.floor", place.database_url, schema_of(place), file]
    return measure([words], SIDECHART.environment(place), HOME / "logs" / "export-floor.log")


def _ours(place: Place, number: int) -> Measured:
    file = str(place.folder / f"ours-{number}.zip")
    words = [sys.executable, "manage.py", "clinic", "export", place.label, "--to", file, "--json"]
    return measure([words], SIDECHART.environment(place), HOME / "logs" / "export-ours.log")
