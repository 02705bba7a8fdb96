"""A worker and beat with their own PostgreSQL and broker, which tests can stop."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from redis import Redis

from embedded import services
from embedded.postgres import Postgres
from embedded.processes import identify
from sandbox.cliniko.app import create_app
from sandbox.cliniko.app_state import store_of
from sandbox.cliniko.faults.kinds import Fault
from sandbox.cliniko.server import serve
from sandbox.cliniko.store import Store
from sandbox.supervisor import Supervisor, child_environment
from sync.resources import RESOURCES
from tests.end_to_end.stack import wait_until
from tests.services import ROOT, own_services
from tests.sync.comparison import Differences, account_records, api_of, compare, read_mirror
from tests.sync.walk.faults.scenario import id_at, records

PATIENTS = {"bondi": 1200, "harbour": 30}
PAGE_SECONDS = 0.12  # minimum time per page, so that an import can be interrupted
ONBOARD = """
from ops import onboarding
from sync.cliniko.client import ApiKey
for label, key in {keys!r}.items():
    onboarding.create(label, name=label, owner_email="owner@clinic.example")
    onboarding.set_key(label, ApiKey(key))
"""


@dataclass
class Outage:
    """The running processes, and the failures that tests cause."""

    home: Path
    store: Store
    url: str
    supervisor: Supervisor

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(services.postgres_url(self.home), autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def schema(self, label: str) -> str:
        return str(self.rows(f"SELECT schema_name FROM tenants_clinic WHERE label = '{label}'")[0][0])  # noqa: S608

    def count_patients(self, label: str = "bondi") -> int:
        return int(str(self.rows(f'SELECT count(*) FROM "{self.schema(label)}".sync_patient')[0][0]))  # noqa: S608

    def import_again(self) -> None:
        """Delete bondi's mirror so that it is imported again, with slow pages."""
        schema = self.schema("bondi")
        self.store.inject_fault("bondi", Fault.SLOW, resource="patients", times=None, seconds=PAGE_SECONDS)
        tables = [each.model._meta.db_table for each in RESOURCES] + ["sync_cursor", "sync_reconciliation"]
        names = ", ".join(f'"{schema}".{table}' for table in tables)
        self.rows(f'UPDATE "{schema}".sync_connection SET lease_token = NULL, lease_until = NULL; TRUNCATE {names}')  # noqa: S608
        self.mark_due()

    def mark_due(self) -> None:
        """Make bondi due, and let its lease expire."""
        expire = "UPDATE {}.sync_connection SET lease_until = now() - interval '1 second' WHERE lease_token IS NOT NULL"
        self.rows(expire.format(self.schema("bondi")))
        self.rows("UPDATE tenants_clinic SET sync_due_at = now() WHERE label = 'bondi'")

    def wait_for_patients(self, count: int) -> None:
        wait_until(lambda: self.count_patients() >= count, what=f"{count} patients")
        assert self.count_patients() < PATIENTS["bondi"], "the import finished before it could be interrupted"

    def wait_until_equal(self) -> None:
        """Edit a patient of each clinic, and wait until both mirrors equal their accounts."""
        self.store.clear_faults("bondi")
        for label in PATIENTS:
            self.store.edit(label, "patients", id_at(0), first_name="Edited")
        wait_until(lambda: not any(map(self.differences, PATIENTS)), seconds=40, what="mirrors equal to Cliniko")

    def differences(self, label: str) -> Differences:
        schema = self.schema(label)
        with psycopg.connect(services.postgres_url(self.home)) as connection, connection.cursor() as cursor:
            cursor.execute(f'SET search_path TO "{schema}"')
            return compare(account_records(self.store, label), read_mirror(cursor), api_of(self.store, self.url, label))

    def start_worker(self) -> None:
        words = ("-m", "celery", "-A", "saas", "worker", "--concurrency=1", "--without-gossip", "--without-mingle")
        self.supervisor.start("worker", sys.executable, *words)

    def kill_worker(self) -> None:
        worker = self.supervisor.child("worker")
        os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
        self.supervisor.forget(worker)

    def restart_postgres(self) -> None:
        """Stop PostgreSQL immediately, and start it again."""
        pid = int((Postgres(self.home).data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: identify(pid) is None, what="PostgreSQL to stop")
        services.start(self.home, fsync=False)

    def lose_broker(self) -> None:
        """Delete all messages and restart the broker."""
        path = services.broker_url(self.home).removeprefix("redis+socket://").partition("?")[0]
        with Redis(unix_socket_path=path) as broker:
            broker.flushall()
        services.stop(self.home, ["valkey"])
        services.start(self.home, fsync=False)


@contextmanager
def running_outage() -> Iterator[Outage]:
    """Run two clinics with keys, a worker and beat; bondi has many patients."""
    with own_services() as home:
        app = create_app(home / "cliniko.sqlite3", requests_per_minute=100_000)
        with serve(app) as url:
            supervisor = Supervisor(ROOT, _environment(home, url), home)
            outage = Outage(home, store_of(app), url, supervisor)
            with supervisor.lock():
                try:
                    _start(outage)
                    yield outage
                finally:
                    supervisor.stop()


def _start(outage: Outage) -> None:
    store, supervisor = outage.store, outage.supervisor
    keys = {label: store.add_account(label, shard) for label, shard in (("bondi", "au1"), ("harbour", "au2"))}
    for label, count in PATIENTS.items():
        store.add_many(records(label, patients=count))
    supervisor.run(sys.executable, "manage.py", "migrate", "--verbosity", "0")
    onboard = ONBOARD.format(keys=keys)
    supervisor.run(sys.executable, "manage.py", "shell", "--verbosity=0", "--command", onboard)
    supervisor.start("beat", sys.executable, "-m", "celery", "-A", "saas", "beat")
    outage.start_worker()


def _environment(home: Path, url: str) -> dict[str, str]:
    return child_environment(
        DATABASE_URL=services.postgres_url(home),
        CELERY_BROKER_URL=services.broker_url(home),
        BASE_DOMAIN="localhost",
        PUBLIC_SCHEME="http",
        CLINIKO_API_URL=f"{url}/api/{{shard}}/v1",
        CLINIKO_REQUESTS_PER_MINUTE="100000",
        EMAIL_URL=f"file:///{home / 'mail'}",
        SYNC_INTERVAL_SECONDS="1",
        STATE_DIRECTORY=str(home),
    )
