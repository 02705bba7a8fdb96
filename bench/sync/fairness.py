"""Many clinics import at once on two worker processes, woken by beat: does each get its turn?"""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from bench.children import command
from bench.lineup import SIDECHART
from bench.places import HOME, ROOT, BenchError
from bench.services import instant_api, new_database
from bench.subjects import Place
from bench.sync.attempts import Say
from bench.sync.options import Options

PATIENTS = 1_000  # of each clinic: three slices of bench.settings
LONGEST_SECONDS = 900
Turn = tuple[float, float, str]  # when it began and ended, and whose it was


def run(options: Options, say: Say) -> dict[str, Any]:
    """Import all clinics at once, and tell how many turns others had while one waited for its next.

    Raises BenchError when the imports do not end.
    """
    say(f"fairness: {options.importing} clinics, made first")
    with (
        instant_api(PATIENTS) as api,
        new_database("bench_fairness") as database,
        tempfile.TemporaryDirectory() as folder,
    ):
        place = Place(api, database, Path(folder))
        SIDECHART.migrate(place)
        _inside(place, "found", str(options.importing))
        say(f"fairness: {options.importing} imports on two worker processes")
        began = time.time()
        _inside(place, "make_due")
        with ExitStack() as processes:
            processes.enter_context(_celery(place, "worker", "--concurrency=2"))
            processes.enter_context(_celery(place, "beat", f"--schedule={folder}/beat"))
            turns = _turns_when_done(database, options.importing)
    return {
        "clinics": options.importing,
        "patients": PATIENTS,
        "turns": len(turns),
        "seconds": max(end for _, end, _ in turns) - began,
        "turns_of_another_while_one_waits": most_turns_of_another(turns, began),
    }


def most_turns_of_another(turns: list[Turn], began: float) -> int:
    """The most turns that any one clinic had while another one waited, between two of its turns or for its first."""
    ordered = sorted(turns)
    most, waiting_since = 0, dict.fromkeys((whose for _, _, whose in turns), began)
    for start, end, whose in ordered:
        others = Counter(other for at, _, other in ordered if other != whose and waiting_since[whose] <= at < start)
        most = max(most, *others.values(), 0)
        waiting_since[whose] = end
    return most


def _inside(place: Place, *words: str) -> Any:
    output = command(sys.executable, "-m", "bench.sync.inside", *words, environment=_environment(place))
    return json.loads(output.strip().splitlines()[-1])


def _environment(place: Place) -> dict[str, str]:
    return SIDECHART.environment(place) | {"DJANGO_SETTINGS_MODULE": "bench.settings"}


@contextmanager
def _celery(place: Place, role: str, *options: str) -> Iterator[None]:
    words = (sys.executable, "-m", "celery", "-A", "saas", role, "--loglevel=WARNING", *options)
    with (HOME / "logs" / f"fairness-{role}.log").open("wb") as log:
        process = subprocess.Popen(words, cwd=ROOT, env=_environment(place), stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)


def _turns_when_done(database: str, clinics: int) -> list[Turn]:
    """All turns, once every clinic has finished its import."""
    give_up = time.monotonic() + LONGEST_SECONDS
    with psycopg.connect(database, autocommit=True) as connection:
        schemas = [row[0] for row in connection.execute("SELECT schema_name FROM tenants_clinic")]
        sql = " UNION ALL ".join(
            f"SELECT extract(epoch FROM started_at)::float8, extract(epoch FROM finished_at)::float8,"
            f" '{schema}', result FROM {schema}.sync_run"
            for schema in schemas
        )
        while time.monotonic() < give_up:
            rows = connection.execute(sql).fetchall()
            if len({whose for _, _, whose, result in rows if result == "done"}) == clinics:
                return [(start, end, whose) for start, end, whose, _ in rows]
            time.sleep(2)
    raise BenchError(f"After {LONGEST_SECONDS} seconds not all of {clinics} clinics are imported.")
