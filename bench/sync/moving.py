"""Records that are wrong after an import over a list that moves, and after two more runs while nothing does.

Here Cliniko is the sandbox, whose rules are tested against Cliniko's reference: slow, and right.
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

from bench.children import measure
from bench.lineup import FOLLOWERS
from bench.people import ACCOUNT
from bench.services import new_database
from bench.subjects import Held, Place, Subject
from bench.sync.attempts import Attempts, Say
from bench.sync.imports import log_of
from bench.sync.options import Options
from bench.sync.staff import Staff
from sandbox.cliniko.app import create_app
from sandbox.cliniko.server import serve
from sandbox.cliniko.store import Store

QUIET_RUNS = 2
KINDS = ("missing", "stale", "shown_though_gone")
Wrong = dict[str, dict[str, int]]  # by stage and kind


def run(options: Options, say: Say) -> dict[str, Any]:
    attempts = Attempts[Wrong]([each for each in FOLLOWERS if options.wants(each.name)], say)
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            account = Path(folder) / "account.sqlite3"
            _invent(account, options.moving_patients, seed)
            attempts.each(f"moving, seed {seed}", lambda subject: _follow(subject, account, seed))  # noqa: B023 - called at once
    rows = [{"name": each.name, "title": each.title, "seeds": seeds} for each, seeds in attempts.measured()]
    return {
        "patients": options.moving_patients,
        "seeds": list(options.seeds),
        "rows": rows,
        "not_measured": attempts.failed,
    }


def _invent(path: Path, patients: int, seed: int) -> None:
    """An account of patients alone: what hangs on them would only take time."""
    store = Store(path)
    store.add_account(ACCOUNT, seed=seed, patients=patients)
    with store.writing() as connection:
        connection.execute("DELETE FROM records WHERE resource IN ('medical_alerts', 'individual_appointments')")
    with store.reading() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


def _follow(subject: Subject, account: Path, seed: int) -> Wrong:
    """Import while staff work, look, run twice more in quiet, look again."""
    with (
        tempfile.TemporaryDirectory() as folder,
        new_database(f"bench_{subject.name}") as database,
        _working_clinic(account, Path(folder), seed) as (api, store, staff),
    ):
        place = Place(api, database, Path(folder), key=store.key(ACCOUNT))
        subject.prepare(place)
        staff.come()
        _import(subject, place, full=True)
        staff.leave()
        after_import = wrong(subject.held(place), truth(store))
        for _ in range(QUIET_RUNS):
            _import(subject, place, full=False)
        return {"after_import": after_import, "after_quiet_runs": wrong(subject.held(place), truth(store))}


def _import(subject: Subject, place: Place, *, full: bool) -> None:
    measure(subject.commands(place, full=full), subject.environment(place), log_of(subject))


@contextmanager
def _working_clinic(account: Path, folder: Path, seed: int) -> Iterator[tuple[str, Store, Staff]]:
    """A copy of the account behind the sandbox's API, with staff who act after every page of patients."""
    store = Store(shutil.copy(account, folder / "cliniko.sqlite3"))
    staff = Staff(store, seed=seed)
    app = create_app(store, requests_per_minute=10**6)

    @app.after_request
    def act(response: Response) -> Response:
        if request.path.endswith("/v1/patients") and response.status_code == 200:
            staff.act()
        return response

    with serve(app) as address:
        yield f"{address}/api/au1/v1", store, staff
    store.close()


def truth(store: Store) -> dict[str, datetime]:
    """Who is one of the clinic's patients now, and when each was changed last."""
    live = (record for record in store.all(ACCOUNT, "patients") if not record.archived_at)
    return {str(record.id): datetime.fromisoformat(record.updated_at) for record in live}


def wrong(held: dict[str, Held], live: dict[str, datetime]) -> dict[str, int]:
    """How many patients a subject has wrong, by kind."""
    shown = {id for id, patient in held.items() if patient.shown}
    counts = Counter(dict.fromkeys(KINDS, 0))
    counts["missing"] = len(live.keys() - shown)
    counts["stale"] = sum(held[id].updated_at < live[id] for id in shown & live.keys())
    counts["shown_though_gone"] = len(shown - live.keys())
    return dict(counts)
