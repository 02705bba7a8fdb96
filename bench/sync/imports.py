"""Measure full imports: each subject into an empty database, then again without changes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.paths import HOME, BenchError
from bench.processes import ProcessUsage, measure
from bench.services import fake_cliniko, new_database
from bench.subject_list import BASELINE, IMPORTERS, SIDECHART
from bench.subjects import Subject, Workspace
from bench.sync.options import Options
from bench.sync.subject_runs import Log, SubjectRuns


@dataclass(frozen=True)
class Round:
    """An import into an empty database, a second one without changes, and the number of missing patients."""

    first: ProcessUsage
    again: ProcessUsage
    missing: int


def run(options: Options, log: Log) -> dict[str, Any]:
    """Measure every subject once per round, so that ratios compare runs close in time.

    Raises BenchError if the baseline fails.
    """
    subjects = [each for each in IMPORTERS if options.wants(each.name) or each is BASELINE]
    runs = SubjectRuns[Round](subjects, log)
    with fake_cliniko(options.patients) as api:
        for number in range(options.runs):
            runs.each(f"import {number + 1}/{options.runs}", lambda subject: _round(subject, api, options.patients))
    rounds = list(runs.measured())
    if BASELINE.title in runs.failed:
        raise BenchError(f"The baseline failed. {runs.failed[BASELINE.title]}")
    baseline = rounds[0][1]
    return {
        "patients": options.patients,
        "runs": options.runs,
        "rows": [_row(subject, own, baseline, options.patients) for subject, own in rounds],
        "not_measured": runs.failed,
    }


def _round(subject: Subject, api: str, patients: int) -> Round:
    with new_workspace(subject, api) as workspace:
        first, again = (
            measure(subject.commands(workspace), subject.environment(workspace), log_file(subject)) for _ in range(2)
        )
        return Round(
            first, again, missing=patients_imported(subject, patients) - len(subject.stored_patients(workspace))
        )


@contextmanager
def new_workspace(subject: Subject, api: str) -> Iterator[Workspace]:
    """Yield an empty database, prepared for the subject, and a folder."""
    with new_database(f"bench_{subject.name}") as database, tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(api, database, Path(folder))
        subject.prepare(workspace)
        yield workspace


def log_file(subject: Subject) -> Path:
    return HOME / "logs" / f"{subject.name}.log"


def patients_imported(subject: Subject, patients: int) -> int:
    return min(patients, subject.max_patients or patients)


def _row(subject: Subject, own: list[Round], baseline: list[Round], all_patients: int) -> dict[str, Any]:
    patients = patients_imported(subject, all_patients)
    seconds = {"first": [each.first.seconds for each in own], "again": [each.again.seconds for each in own]}
    share = patients / all_patients
    ratios = [one.first.seconds / share / other.first.seconds for one, other in zip(own, baseline, strict=True)]
    return {
        "name": subject.name,
        "title": subject.title,
        "patients": patients,
        "seconds": seconds,
        "rows_per_second": patients / median(seconds["first"]),
        "rows_per_second_again": patients / median(seconds["again"]),
        "times_the_baseline": median(ratios),
        "cpu_seconds": median(each.first.cpu_seconds for each in own),
        "megabytes": max(usage.megabytes for each in own for usage in (each.first, each.again)),
        "missing": max(each.missing for each in own),
    }


def run_memory(options: Options, log: Log) -> dict[str, Any]:
    """Measure the peak memory of Sidechart's import at several clinic sizes."""
    sizes = sorted({*options.memory_patients, options.patients})
    return {"rows": [_memory(size, log) for size in sizes]}


def _memory(size: int, log: Log) -> dict[str, Any]:
    log(f"memory: {size:,} patients")
    with fake_cliniko(size) as api, new_workspace(SIDECHART, api) as workspace:
        measured = measure(SIDECHART.commands(workspace), SIDECHART.environment(workspace), log_file(SIDECHART))
    return {"patients": size, "megabytes": measured.megabytes, "rows_per_second": size / measured.seconds}
