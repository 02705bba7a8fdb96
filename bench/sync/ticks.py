"""What a clinic costs that does not change, and what it costs to wake a thousand of them."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.children import command, measure
from bench.lineup import SIDECHART
from bench.services import instant_api, new_database
from bench.subjects import Place, schema_of
from bench.sync.attempts import Say
from bench.sync.imports import log_of, new_place
from bench.sync.options import Options


def run_idle(options: Options, say: Say) -> dict[str, Any]:
    """An hour of ticks of one imported clinic, one after the other."""
    say(f"idle: {options.ticks} ticks")
    with instant_api(options.moving_patients) as api, new_place(SIDECHART, api) as place:
        measure(SIDECHART.commands(place), SIDECHART.environment(place), log_of(SIDECHART))
        return _inside(place, "idle", schema_of(place), api, str(options.ticks))


def run_dispatch(options: Options, say: Say) -> dict[str, Any]:
    """All clinics due at once. They are rows in public and nothing more: no worker is there to enter them."""
    say(f"dispatch: {options.clinics:,} clinics")
    with new_database("bench_dispatch") as database, tempfile.TemporaryDirectory() as folder:
        place = Place("http://127.0.0.1:9/v1", database, Path(folder))
        SIDECHART.migrate(place)
        return _inside(place, "dispatch", str(options.clinics), str(max(options.runs, 3)))


def _inside(place: Place, *words: str) -> dict[str, Any]:
    output = command(sys.executable, "-m", "bench.sync.inside", *words, environment=SIDECHART.environment(place))
    told: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return told
