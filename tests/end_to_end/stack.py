"""Run the product as real processes (web, worker, beat) with their own database, and the sandbox in this process."""

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests

from sandbox.browser import Browser
from sandbox.cliniko.app import create_app
from sandbox.cliniko.app_state import store_of
from sandbox.cliniko.server import serve
from sandbox.cliniko.store import Store
from sandbox.demo_data import DemoClinic, DemoOptions, Person
from sandbox.onboarding import accept_invitation
from sandbox.supervisor import Supervisor, child_environment
from tests.services import ROOT

INTERVAL_SECONDS = 2
# The same as `manage.py clinic create, set-key, invite`, in one process; test_demo.py uses the commands.
ONBOARD = """
import json
from ops import clinic_staff, onboarding
from sync.cliniko.client import ApiKey
invitations = {{}}
for label, name, key, (owner, *others) in {clinics!r}:
    created = onboarding.create(label, name=name, owner_email=owner[1])
    onboarding.set_key(label, ApiKey(key))
    invitations[owner[1]] = created.invite_url
    for role, email in others:
        invitations[email], _ = clinic_staff.invite(label, email=email, role=role)
print(json.dumps(invitations))
"""


@dataclass
class Stack:
    """The running processes and their URLs."""

    options: DemoOptions
    database: str
    store: Store
    supervisor: Supervisor

    def sidechart(self, label: str, path: str = "/") -> str:
        return f"http://{label}.localhost:{self.options.web_port}{path}"

    def cliniko(self, label: str, path: str) -> str:
        return f"http://cliniko.localhost:{self.options.cliniko_port}/{label}{path}"

    def clinic(self, label: str) -> DemoClinic:
        return next(clinic for clinic in self.options.clinics if clinic.label == label)

    def person(self, label: str, role: str = "reception") -> Person:
        return next(person for person in self.clinic(label).people if person.role == role)

    def rows(self, label: str, sql: str) -> list[tuple[Any, ...]]:
        """Run a query in the clinic's schema."""
        with psycopg.connect(self.database) as connection:
            schemas = connection.execute("SELECT schema_name FROM tenants_clinic WHERE label = %s", [label]).fetchall()
            connection.execute("SELECT set_config('search_path', %s, true)", schemas[0])
            return connection.execute(sql.encode()).fetchall()

    def execute(self, label: str, statement: LiteralString, *values: object) -> None:
        """Run a statement in the clinic's schema."""
        with psycopg.connect(self.database) as connection:
            schemas = connection.execute("SELECT schema_name FROM tenants_clinic WHERE label = %s", [label]).fetchall()
            connection.execute("SELECT set_config('search_path', %s, true)", schemas[0])
            connection.execute(statement, values)

    def mark_due(self, label: str) -> None:
        """Make the clinic due, and let its lease expire."""
        expired = "lease_until = now() - interval '1 second' WHERE lease_token IS NOT NULL"
        self.rows(label, f"UPDATE sync_connection SET {expired} RETURNING id")  # noqa: S608 - ours
        with psycopg.connect(self.database) as connection:
            connection.execute("UPDATE tenants_clinic SET sync_due_at = now() WHERE label = %s", [label])

    def log_text(self) -> str:
        """Return the output of all processes."""
        return "".join(log.read_text() for log in self.supervisor.logs.glob("*.log"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], object], *, seconds: float = 30.0, what: str) -> None:
    """Wait until `condition()` is true, or fail the test and name `what` was expected."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {seconds:.0f} seconds"
        time.sleep(0.1)


@contextmanager
def new_database(name: str) -> Iterator[str]:
    """Create an empty database on the test server, yield its URL, and drop it."""
    server = urlsplit(os.environ["DATABASE_URL"])
    with psycopg.connect(urlunsplit(server), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(server._replace(path=f"/{name}"))
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def running_stack(state: Path, *, worker: str) -> Iterator[Stack]:
    """Start everything with two small clinics, their staff and their first import."""
    options = DemoOptions(web_port=free_port(), cliniko_port=free_port(), bondi=40, harbour=12)
    approved = f"http://*.localhost:{options.web_port}/patients"
    app = create_app(state / "cliniko.sqlite3", requests_per_minute=100_000, approved_apps=(approved,))
    store = store_of(app)
    keys = {
        "bondi": store.add_account("bondi", "au1", seed=7, patients=options.bondi),
        "harbour": store.add_account("harbour", "au2", seed=7, patients=options.harbour),
    }
    with serve(app, options.cliniko_port), new_database(f"sidechart_stack_{worker}") as database:
        supervisor = Supervisor(ROOT, _environment(options, database, state), state)
        stack = Stack(options, database, store, supervisor)
        with supervisor.lock():
            try:
                _start(stack, keys)
                yield stack
            finally:
                supervisor.stop()


def _start(stack: Stack, keys: dict[str, str]) -> None:
    python, port = sys.executable, stack.options.web_port
    stack.supervisor.run(python, "manage.py", "migrate", "--verbosity", "0")
    gunicorn = ("gunicorn", "saas.wsgi", f"--bind=127.0.0.1:{port}", "--workers=1")
    stack.supervisor.start("web", python, "-m", *gunicorn)
    start_worker(stack)
    stack.supervisor.start("beat", python, "-m", "celery", "-A", "saas", "beat")
    invitations = _onboard(stack, keys)
    wait_until(lambda: _responds(f"http://localhost:{port}/readyz"), what="the web process")
    for clinic in stack.options.clinics:
        for person in clinic.people:
            accept_invitation(invitations[person.email], person)
    wait_until(lambda: _imported(stack), what="the first imports")


def _onboard(stack: Stack, keys: dict[str, str]) -> dict[str, str]:
    """Create both clinics with keys and invitations, and return the invitation links by email."""
    clinics = [
        (each.label, each.name, keys[each.label], [(person.role, person.email) for person in each.people])
        for each in stack.options.clinics
    ]
    words = ("manage.py", "shell", "--verbosity=0", "--command", ONBOARD.format(clinics=clinics))
    invitations: dict[str, str] = json.loads(stack.supervisor.run(sys.executable, *words).splitlines()[-1])
    return invitations


def start_worker(stack: Stack) -> None:
    stack.supervisor.start("worker", sys.executable, "-m", "celery", "-A", "saas", "worker", "--concurrency=1")


def _imported(stack: Stack) -> bool:
    query = "SELECT 1 FROM sync_cursor, sync_connection WHERE resource = 'patients' AND imported_at > '-infinity'"
    return all(stack.rows(clinic.label, f"{query} AND state = 'ok'") for clinic in stack.options.clinics)


def _responds(url: str) -> bool:
    try:
        return Browser().get(url).status_code == 200
    except requests.ConnectionError:
        return False


def _environment(options: DemoOptions, database: str, state: Path) -> dict[str, str]:
    return child_environment(
        DATABASE_URL=database,
        BASE_DOMAIN="localhost",
        PUBLIC_SCHEME="http",
        PUBLIC_PORT=str(options.web_port),
        CLINIKO_API_URL=f"http://127.0.0.1:{options.cliniko_port}/api/{{shard}}/v1",
        CLINIKO_WEB_URL=f"http://cliniko.localhost:{options.cliniko_port}/{{subdomain}}",
        EMAIL_URL=f"file:///{state / 'mail'}",
        SYNC_INTERVAL_SECONDS=str(INTERVAL_SECONDS),
        STATE_DIRECTORY=str(state),
    )
