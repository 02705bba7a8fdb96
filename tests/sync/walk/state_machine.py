"""The state machine's environment: two clinics, a clock that tests move, and a worker that can be killed."""

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
from tests.sync.comparison import Differences, differences
from tests.sync.in_process import URL

MORNING = datetime(2040, 1, 2, 9, 0, tzinfo=UTC)  # after the database's clock, which sets some defaults
LONG_AGO = format_time(MORNING - timedelta(days=3))
MAX_SLICES = 30
PATIENTS = 5
# Numbers the versions of every record in its payload, however it was changed.
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
    """The worker's process was killed between two statements."""


@contextmanager
def killed_after(statements: int) -> Iterator[None]:
    """Allow this many statements and then raise Killed: what was committed stays, the rest is rolled back."""
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
    """A page, and the sequence number drawn before its request."""

    resource: Resource
    sequence: int
    page: Page


@dataclass
class Stage:
    """The start of an example: a template of the sandbox's file, and both clinics with their keys."""

    app: Flask
    clock: Clock
    directory: Path
    schemas: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        store: Store = self.app.extensions["cliniko_store"]
        return store

    def build(self) -> None:
        """Create two accounts with the same few ids and one practitioner, business and type each; mirror harbour."""
        for label, shard in (("bondi", "au1"), ("harbour", "au2")):
            self.store.add_account(label, shard)
            self._make_small(label)
            for number in range(PATIENTS):
                name = f"{label}{number}"
                self.store.add_patient(label, first_name=name, created_at=LONG_AGO, updated_at=LONG_AGO)
            with clinic_context(label):
                connect.connect(ApiKey(self.store.key(label)), by=OPS)
            self.schemas[label] = Clinic.objects.get(label=label).schema_name
        self.sync("harbour")
        with self.store.writing() as accounts:
            accounts.execute(COUNT_VERSIONS)
        self.store.close()

    def _make_small(self, label: str) -> None:
        for resource in ("practitioners", "businesses", "appointment_types"):
            for record in self.store.all(label, resource)[1:]:
                with self.store.writing() as accounts:
                    accounts.execute("DELETE FROM records WHERE resource = ? AND id = ?", (resource, record.id))

    def begin(self) -> None:
        """Start an example: a new copy of the template, at the time it was made."""
        self.store.close()
        for leftover in self.directory.glob("example.sqlite3*"):
            leftover.unlink()
        shutil.copy(self.directory / "template.sqlite3", self.directory / "example.sqlite3")
        self.clock.moment = MORNING
        self.app.extensions["cliniko_store"] = Store(self.directory / "example.sqlite3", now=self.clock)

    def slice(self, label: str = "bondi", *, pages: int, everything: bool = False, killed: int | None = None) -> bool:
        """Run a slice; True when done. Cliniko may fail, and another worker may hold the lease."""
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

    def sync(self, label: str = "bondi") -> None:
        """Run one tick's sync to its end, over as many slices as it takes."""
        done = self.slice(label, pages=40, everything=True)
        for _ in range(MAX_SLICES):
            if done:
                return
            done = self.slice(label, pages=40)
        raise AssertionError("The sync doesn't finish.")

    def fetch(self, resource: str, after_id: int) -> Answer:
        """Fetch a page as a worker would."""
        with clinic_context("bondi"):
            sequence = next_sequence()
            hidden = [f"{name}:*" for name in BY_NAME[resource].hidden]
            page = connection_state.open_client().list(resource, filters=(f"id:>{after_id}", *hidden), sort="id:asc")
            return Answer(BY_NAME[resource], sequence, page)

    def write(self, answer: Answer) -> None:
        """Write a page that was fetched earlier.

        Leaves out records that were created and deleted in between, unseen by the mirror: they would stay until the
        next comparison. Only a launch could write one, since pages need the lease, and it would have to be delayed from
        before the deletion until after its count.
        """
        resource = answer.resource
        with clinic_context("bondi"):
            known = set(resource.model._default_manager.values_list("cliniko_id", flat=True))
            live = {str(record.id) for record in self.store.all("bondi", resource.name)}
            records = [record for record in answer.page.records if record["id"] in known | live]
            write_page(resource, records, sequence=answer.sequence)

    def launch(self, patient_id: int) -> None:
        """Open a patient, more than two seconds after the previous launch."""
        with clinic_context("bondi"):
            PatientRefresh.objects.all().delete()
            refresh_patient(str(patient_id))

    def differences(self, label: str = "bondi") -> Differences:
        return differences(self.store, URL, label)

    def rows(self, label: str) -> str:
        """Return a digest of a clinic's mirror that includes which transaction wrote each row."""
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
