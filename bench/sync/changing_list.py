"""Count wrong records after an import while the list changes, and after two quiet runs.

Cliniko is the sandbox here, which is slow but tested against Cliniko's reference.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Response, request

from bench.fake_cliniko.patients import ACCOUNT
from bench.processes import measure
from bench.services import new_database
from bench.subject_list import FOLLOWERS
from bench.subjects import StoredPatient, Subject, Workspace
from bench.sync.imports import log_file
from bench.sync.options import Options
from bench.sync.simulated_staff import Staff
from bench.sync.subject_runs import Log, SubjectRuns
from sandbox.cliniko.app import create_app
from sandbox.cliniko.server import serve
from sandbox.cliniko.store import Store

QUIET_RUNS = 2
KINDS = ("missing", "stale", "shown_but_removed")
WrongCounts = dict[str, dict[str, int]]  # by stage and kind


def run(options: Options, log: Log) -> dict[str, Any]:
    runs = SubjectRuns[WrongCounts]([each for each in FOLLOWERS if options.wants(each.name)], log)
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            account = Path(folder) / "account.sqlite3"
            _create_account(account, options.changing_patients, seed)
            runs.each(f"changing list, seed {seed}", lambda subject: _import_and_compare(subject, account, seed))  # noqa: B023 - called at once
    rows = [{"name": each.name, "title": each.title, "seeds": seeds} for each, seeds in runs.measured()]
    return {
        "patients": options.changing_patients,
        "seeds": list(options.seeds),
        "rows": rows,
        "not_measured": runs.failed,
    }


def _create_account(path: Path, patients: int, seed: int) -> None:
    """Create an account with patients only; their alerts and appointments would only take time."""
    store = Store(path)
    store.add_account(ACCOUNT, seed=seed, patients=patients)
    with store.writing() as connection:
        connection.execute("DELETE FROM records WHERE resource IN ('medical_alerts', 'individual_appointments')")
    with store.reading() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


def _import_and_compare(subject: Subject, account: Path, seed: int) -> WrongCounts:
    """Import while staff make changes, compare, run twice more without changes, compare again."""
    with (
        tempfile.TemporaryDirectory() as folder,
        new_database(f"bench_{subject.name}") as database,
        _changing_clinic(account, Path(folder), seed) as (api, store, staff),
    ):
        workspace = Workspace(api, database, Path(folder), key=store.key(ACCOUNT))
        subject.prepare(workspace)
        staff.start()
        _import(subject, workspace, full=True)
        staff.stop()
        after_import = count_wrong(subject.stored_patients(workspace), current_patients(store))
        for _ in range(QUIET_RUNS):
            _import(subject, workspace, full=False)
        after_quiet_runs = count_wrong(subject.stored_patients(workspace), current_patients(store))
        return {"after_import": after_import, "after_quiet_runs": after_quiet_runs}


def _import(subject: Subject, workspace: Workspace, *, full: bool) -> None:
    measure(subject.commands(workspace, full=full), subject.environment(workspace), log_file(subject))


@contextmanager
def _changing_clinic(account: Path, folder: Path, seed: int) -> Iterator[tuple[str, Store, Staff]]:
    """Serve a copy of the account by the sandbox, with staff who make changes after every page of patients."""
    store = Store(shutil.copy(account, folder / "cliniko.sqlite3"))
    staff = Staff(store, seed=seed)
    app = create_app(store, requests_per_minute=10**6)

    @app.after_request
    def change_records(response: Response) -> Response:
        if request.path.endswith("/v1/patients") and response.status_code == 200:
            staff.make_changes()
        return response

    with serve(app) as address:
        yield f"{address}/api/au1/v1", store, staff
    store.close()


def current_patients(store: Store) -> dict[str, datetime]:
    """Return updated_at of the clinic's current patients, by id."""
    current = (record for record in store.all(ACCOUNT, "patients") if not record.archived_at)
    return {str(record.id): datetime.fromisoformat(record.updated_at) for record in current}


def count_wrong(stored: dict[str, StoredPatient], current: dict[str, datetime]) -> dict[str, int]:
    """Return the number of wrong patients by kind."""
    shown = {id for id, patient in stored.items() if patient.shown}
    counts = Counter(dict.fromkeys(KINDS, 0))
    counts["missing"] = len(current.keys() - shown)
    counts["stale"] = sum(stored[id].updated_at < current[id] for id in shown & current.keys())
    counts["shown_but_removed"] = len(shown - current.keys())
    return dict(counts)
