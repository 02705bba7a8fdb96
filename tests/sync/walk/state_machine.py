"""What the state machine plays on: two clinics, a clock that a test moves, and a worker that can be killed."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connection as database
from flask import Flask

from audit.log import OPS
from sandbox.cliniko.clock import format_time
from sandbox.cliniko.store import Store
from sync.cliniko.client import ApiKey, Page
from sync.cliniko.errors import ClinikoError
from sync.connection import connect
from sync.connection import state as connection_state
from sync.models import Connection, PatientRefresh
from sync.refresh import refresh_patient
from sync.resources import BY_NAME, RESOURCES, Resource
from sync.walk import run as walk_run
from sync.walk.lease import LeaseHeld
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.sync.comparison import differences
from tests.sync.in_process import API_URL

MORNING = datetime(2040, 1, 2, 9, 0, tzinfo=UTC)  # later than the database's clock, which sets some defaults
LONG_AGO = format_time(MORNING - timedelta(days=3))
MOST_TURNS = 30
PATIENTS = 5
# Every payload tells which version of its record it is, whoever changed it and however.
COUNT_VERSIONS = """
CREATE TRIGGER count_versions AFTER UPDATE ON records BEGIN
  UPDATE records SET body = json_set(NEW.body, '$.version', ifnull(json_extract(OLD.body, '$.version'), 0) + 1)
  WHERE rowid = NEW.rowid;
END"""


class Clock:
    def __init__(self) -> None:
        self.moment = MORNING

    def __call__(self) -> datetime:
        return self.moment

    def pass_by(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class Killed(BaseException):
    """The worker's process is gone, between two statements."""


@contextmanager
def killed_after(statements: int) -> Iterator[None]:
    """Let so many statements be, and none after: what was committed stays, what was not is rolled back."""
    left = statements

    def wrapper(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        nonlocal left
        if sql.split(maxsplit=1)[0] in ("SAVEPOINT", "ROLLBACK", "RELEASE", "SET"):
            return execute(sql, *rest)
        left -= 1
        if left < 0:
            raise Killed
        return execute(sql, *rest)

    with database.execute_wrapper(wrapper):
        yield


class Answer(NamedTuple):
    """A page with the number that was drawn before it was asked for."""

    resource: Resource
    sequence: int
    page: Page


@dataclass
class Stage:
    """Where an example begins: the stored files to copy, and both clinics with their keys."""

    app: Flask
    clock: Clock
    home: Path
    schemas: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        store: Store = self.app.extensions["cliniko_store"]
        return store

    def build(self) -> None:
        """Two accounts with the same few ids, one practitioner, place and type each; harbour is mirrored already."""
        for label, shard in (("bondi", "au1"), ("harbour", "au2")):
            self.store.add_account(label, shard)
            self._make_small(label)
            for number in range(PATIENTS):
                name = f"{label}{number}"
                self.store.add_patient(label, first_name=name, created_at=LONG_AGO, updated_at=LONG_AGO)
            with clinic_context(label):
                connect.connect(ApiKey(self.store.key(label)), by=OPS)
            self.schemas[label] = Clinic.objects.get(label=label).schema_name
        self.rest("harbour")
        with self.store.writing() as accounts:
            accounts.execute(COUNT_VERSIONS)
        self.store.close()

    def _make_small(self, label: str) -> None:
        for resource in ("practitioners", "businesses", "appointment_types"):
            for record in self.store.all(label, resource)[1:]:
                with self.store.writing() as accounts:
                    accounts.execute("DELETE FROM records WHERE resource = ? AND id = ?", (resource, record.id))

    def begin(self) -> None:
        """A new copy of the file, at the hour it was made."""
        self.store.close()
        for leftover in self.home.glob("example.sqlite3*"):
            leftover.unlink()
        shutil.copy(self.home / "template.sqlite3", self.home / "example.sqlite3")
        self.clock.moment = MORNING
        self.app.extensions["cliniko_store"] = Store(self.home / "example.sqlite3", now=self.clock)

    def turn(self, label: str = "bondi", *, pages: int, everything: bool = False, killed: int | None = None) -> bool:
        """A worker's turn, true when it was done. Cliniko may fail it, and another may hold the lease."""
        with clinic_context(label):
            try:
                if killed is None:
                    return walk_run.run_sync(pages=pages, everything=everything)
                with killed_after(killed):
                    return walk_run.run_sync(pages=pages, everything=everything)
            except (ClinikoError, LeaseHeld):
                return False
            except Killed:
                Connection.objects.update(lease_until=MORNING - timedelta(days=10_000))
                return False

    def rest(self, label: str = "bondi") -> None:
        """One quiet tick, over as many turns as it takes."""
        done = self.turn(label, pages=40, everything=True)
        for _ in range(MOST_TURNS):
            if done:
                return
            done = self.turn(label, pages=40)
        raise AssertionError("The mirror comes to no rest.")

    def ask(self, resource: str, after_id: int) -> Answer:
        """What a worker is told now."""
        with clinic_context("bondi"):
            sequence = next_sequence()
            hidden = [f"{name}:*" for name in BY_NAME[resource].hidden]
            page = connection_state.open_client().list(resource, filters=(f"id:>{after_id}", *hidden), sort="id:asc")
            return Answer(BY_NAME[resource], sequence, page)

    def write(self, answer: Answer) -> None:
        """What was told then is written now.

        Left out is whatever came and went unseen meanwhile: it would stay until the next comparison. Only a launch
        could write it, since pages need the lease, and it would have to be held up from before a deletion until after
        its count.
        """
        resource = answer.resource
        with clinic_context("bondi"):
            known = set(resource.model._default_manager.values_list("cliniko_id", flat=True))
            live = {str(record.id) for record in self.store.all("bondi", resource.name)}
            records = [record for record in answer.page.records if record["id"] in known | live]
            write_page(resource, records, sequence=answer.sequence)

    def launch(self, patient_id: int) -> None:
        """Staff open a patient. Whoever did so before, it was more than two seconds ago."""
        with clinic_context("bondi"):
            PatientRefresh.objects.all().delete()
            refresh_patient(str(patient_id))

    def differences(self, label: str = "bondi") -> list[str]:
        shard = {"bondi": "au1", "harbour": "au2"}[label]
        with clinic_context(label):
            return differences(self.store, label, API_URL.replace("{shard}", shard))

    def rows(self, label: str) -> str:
        """A digest of all that the mirror of a clinic holds, down to which transaction wrote it."""
        schema = self.schemas[label]
        tables = [
            *(each.model._meta.db_table for each in RESOURCES),
            "sync_cursor",
            "sync_connection",
            "sync_reconciliation",
        ]
        digests = [
            f"SELECT '{table}', md5(string_agg(t.xmin::text || t::text, '' ORDER BY t::text)) FROM {schema}.{table} t"  # noqa: S608
            for table in tables
        ]
        with database.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(digests))
            return str(sorted(cursor.fetchall()))
