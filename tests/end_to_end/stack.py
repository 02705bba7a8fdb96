"""The product as real processes over a database of its own: web, worker, beat; Cliniko's sandbox is in this process."""

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests

from sandbox.browsing import Browser
from sandbox.cast import DemoClinic, Options, Person
from sandbox.cliniko.app import create_app, store_of
from sandbox.cliniko.server import serve
from sandbox.cliniko.store import Store
from sandbox.onboarding import Onboarding
from sandbox.supervisor import Supervisor, plain_environment

ROOT = Path(__file__).resolve().parents[2]
INTERVAL_SECONDS = 2


@dataclass
class Stack:
    """What runs, and where to reach it."""

    options: Options
    database: str
    store: Store
    supervisor: Supervisor
    onboarding: Onboarding

    def sidechart(self, label: str, path: str = "/") -> str:
        return f"http://{label}.localhost:{self.options.web_port}{path}"

    def cliniko(self, label: str, path: str) -> str:
        return f"http://cliniko.localhost:{self.options.cliniko_port}/{label}{path}"

    def clinic(self, label: str) -> DemoClinic:
        return next(clinic for clinic in self.options.clinics if clinic.label == label)

    def person(self, label: str, role: str = "reception") -> Person:
        return next(person for person in self.clinic(label).people if person.role == role)

    def log_text(self) -> str:
        """All that the processes wrote."""
        return "".join(log.read_text() for log in self.supervisor.logs.glob("*.log"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(true: Callable[[], object], *, seconds: float = 30.0, what: str) -> None:
    """Look again and again until `true()` holds; fails the test with `what` was waited for."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} seconds in vain for: {what}"
        time.sleep(0.1)


@contextmanager
def new_database(name: str) -> Iterator[str]:
    """An empty database beside the test database, and its address; dropped afterwards."""
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
    """Bring up everything with two small clinics, staffed and mirrored once."""
    options = Options(web_port=free_port(), cliniko_port=free_port(), bondi=40, harbour=12)
    approved = f"http://*.localhost:{options.web_port}/patients"
    app = create_app(state / "cliniko.sqlite3", requests_per_minute=100_000, approved_apps=(approved,))
    store = store_of(app)
    keys = {
        "bondi": store.add_account("bondi", "au1", seed=7, patients=options.bondi),
        "harbour": store.add_account("harbour", "au2", seed=7, patients=options.harbour),
    }
    with serve(app, options.cliniko_port), new_database(f"sidechart_stack_{worker}") as database:
        supervisor = Supervisor(ROOT, _environment(options, database, state), state)
        stack = Stack(options, database, store, supervisor, Onboarding(supervisor))
        with supervisor.only_one():
            try:
                _bring_up(stack, keys)
                yield stack
            finally:
                supervisor.stop()


def _bring_up(stack: Stack, keys: dict[str, str]) -> None:
    python, port = sys.executable, stack.options.web_port
    stack.supervisor.run(python, "manage.py", "migrate", "--verbosity", "0")
    gunicorn = ("gunicorn", "saas.wsgi", f"--bind=127.0.0.1:{port}", "--workers=1", "--threads=8")
    stack.supervisor.start("web", python, "-m", *gunicorn, "--no-control-socket")
    wait_until(lambda: _answers(f"http://localhost:{port}/readyz"), what="the web process")
    for clinic in stack.options.clinics:
        stack.onboarding.onboard(clinic, keys)
    start_worker(stack)
    stack.supervisor.start("beat", python, "-m", "celery", "-A", "saas", "beat")
    wait_until(lambda: _imported(stack), what="the first imports")


def start_worker(stack: Stack) -> None:
    stack.supervisor.start("worker", sys.executable, "-m", "celery", "-A", "saas", "worker", "--concurrency=1")


def _imported(stack: Stack) -> bool:
    return all(stack.onboarding.show(clinic)["sync_state"] == "ok" for clinic in stack.options.clinics)


def _answers(url: str) -> bool:
    try:
        return Browser().get(url).status_code == 200
    except requests.ConnectionError:
        return False


def _environment(options: Options, database: str, state: Path) -> dict[str, str]:
    return plain_environment(
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
