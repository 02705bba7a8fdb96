"""Full imports: each subject into an empty database, then once more with nothing changed, whole processes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.children import Measured, measure
from bench.lineup import FLOOR, IMPORTERS, SIDECHART
from bench.places import HOME, BenchError
from bench.services import instant_api, new_database
from bench.subjects import Place, Subject
from bench.sync.attempts import Attempts, Say
from bench.sync.options import Options


@dataclass(frozen=True)
class Round:
    """One import into an empty database, one more of the same, and whom it does not hold after that."""

    first: Measured
    again: Measured
    missing: int


def run(options: Options, say: Say) -> dict[str, Any]:
    """Measure in rounds, every subject once a round, so that a ratio compares neighbours in time.

    Raises BenchError when the floor itself fails.
    """
    subjects = [each for each in IMPORTERS if options.wants(each.name) or each is FLOOR]
    attempts = Attempts[Round](subjects, say)
    with instant_api(options.patients) as api:
        for number in range(options.runs):
            attempts.each(f"import {number + 1}/{options.runs}", lambda subject: _round(subject, api, options.patients))
    rounds = list(attempts.measured())
    if FLOOR.title in attempts.failed:
        raise BenchError(f"The floor failed. {attempts.failed[FLOOR.title]}")
    floor = rounds[0][1]
    return {
        "patients": options.patients,
        "runs": options.runs,
        "rows": [_row(subject, own, floor, options.patients) for subject, own in rounds],
        "not_measured": attempts.failed,
    }


def _round(subject: Subject, api: str, patients: int) -> Round:
    with new_place(subject, api) as place:
        first, again = (measure(subject.commands(place), subject.environment(place), log_of(subject)) for _ in range(2))
        return Round(first, again, missing=asked_of(subject, patients) - len(subject.held(place)))


@contextmanager
def new_place(subject: Subject, api: str) -> Iterator[Place]:
    """An empty database, prepared for the subject, and a folder."""
    with new_database(f"bench_{subject.name}") as database, tempfile.TemporaryDirectory() as folder:
        place = Place(api, database, Path(folder))
        subject.prepare(place)
        yield place


def log_of(subject: Subject) -> Path:
    return HOME / "logs" / f"{subject.name}.log"


def asked_of(subject: Subject, patients: int) -> int:
    return min(patients, subject.most or patients)


def _row(subject: Subject, own: list[Round], floor: list[Round], all_patients: int) -> dict[str, Any]:
    patients = asked_of(subject, all_patients)
    seconds = {"first": [each.first.seconds for each in own], "again": [each.again.seconds for each in own]}
    share = patients / all_patients
    ratios = [one.first.seconds / share / other.first.seconds for one, other in zip(own, floor, strict=True)]
    return {
        "name": subject.name,
        "title": subject.title,
        "patients": patients,
        "seconds": seconds,
        "rows_per_second": patients / median(seconds["first"]),
        "rows_per_second_again": patients / median(seconds["again"]),
        "times_the_floor": median(ratios),
        "cpu_seconds": median(each.first.cpu_seconds for each in own),
        "megabytes": max(turn.megabytes for each in own for turn in (each.first, each.again)),
        "missing": max(each.missing for each in own),
    }


def run_memory(options: Options, say: Say) -> dict[str, Any]:
    """The peak memory of our own import at several sizes of clinic."""
    sizes = sorted({*options.memory_patients, options.patients})
    return {"rows": [_memory(size, say) for size in sizes]}


def _memory(size: int, say: Say) -> dict[str, Any]:
    say(f"memory: {size:,} patients")
    with instant_api(size) as api, new_place(SIDECHART, api) as place:
        measured = measure(SIDECHART.commands(place), SIDECHART.environment(place), log_of(SIDECHART))
    return {"patients": size, "megabytes": measured.megabytes, "rows_per_second": size / measured.seconds}
