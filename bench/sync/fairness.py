"""Many clinics import at once on two worker processes, woken by beat: does each get its turn?"""

import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

from bench.lineup import SIDECHART
from bench.places import BenchError
from bench.services import instant_api, new_database
from bench.subjects import Place
from bench.sync.attempts import Say
from bench.sync.options import Options
from bench.sync.worker import celery, inside

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
        inside(_environment(place), "found", str(options.importing))
        say(f"fairness: {options.importing} imports on two worker processes")
        began = time.time()
        inside(_environment(place), "make_due")
        with ExitStack() as processes:
            processes.enter_context(celery(_environment(place), "fairness", "worker", "--concurrency=2"))
            processes.enter_context(celery(_environment(place), "fairness", "beat", f"--schedule={folder}/beat"))
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


def _environment(place: Place) -> dict[str, str]:
    return SIDECHART.environment(place) | {"DJANGO_SETTINGS_MODULE": "bench.settings"}


def _turns_when_done(database: str, clinics: int) -> list[Turn]:
    """All turns, once every clinic has finished its import."""
    give_up = time.monotonic() + LONGEST_SECONDS
    with psycopg.connect(database, autocommit=True) as connection:
        schemas = [row[0] for row in connection.execute("SELECT schema_name FROM tenants_clinic")]
        sql = " UNION ALL ".join(
            f"SELECT extract(epoch FROM started_at)::float8, extract(epoch FROM finished_at)::float8,"
            f" '{schema}', result FROM {schema}.sync_syncrun"
            for schema in schemas
        )
        while time.monotonic() < give_up:
            rows = connection.execute(sql).fetchall()
            if len({whose for _, _, whose, result in rows if result == "done"}) == clinics:
                return [(start, end, whose) for start, end, whose, _ in rows]
            time.sleep(2)
    raise BenchError(f"After {LONGEST_SECONDS} seconds not all of {clinics} clinics are imported.")
