"""The whole product on one machine with one command: two clinics, a Cliniko sandbox, web, worker and beat."""

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

import requests
from rich.console import Console

from embedded import services
from sandbox import banner
from sandbox.browser import Browser
from sandbox.demo_data import OPS, Options
from sandbox.onboarding import Onboarding, connect, mirrored
from sandbox.supervisor import Child, DemoError, Supervisor, plain_environment, require_free

STARTING_SECONDS = 60
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    def add(option: str, default: int, text: str) -> None:
        parser.add_argument(option, type=int, default=default, metavar="N", help=f"{text} (%(default)s)")

    add("--web-port", int(os.environ.get("WEB_PORT") or 8000), "port of Sidechart; also WEB_PORT")
    add("--cliniko-port", int(os.environ.get("CLINIKO_PORT") or 8100), "port of the Cliniko sandbox; also CLINIKO_PORT")
    add("--bondi", 1200, "patients to invent for bondi, when it is new")
    add("--harbour", 300, "patients to invent for harbour, when it is new")


def main(root: Path, options: Options) -> NoReturn:
    """Run the demo until Ctrl-C or SIGTERM, then end everything it started and exit with status 0; 1 when it fails."""
    console = Console(highlight=False)
    for sign in SIGNALS:
        signal.signal(sign, _leave)
    try:
        Demo(root, options, console).run()
    except (DemoError, services.ServiceError) as failed:
        console.print(str(failed), style="red", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("Everything is stopped; what was made stays in .local/ for the next time.")
        sys.exit(0)
    raise AssertionError("The demo ends by a signal or an error alone.")


def _leave(sign: int, frame: FrameType | None) -> None:
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    """Stopping takes a moment and is not to be interrupted."""
    for sign in SIGNALS:
        signal.signal(sign, signal.SIG_IGN)


class Demo:
    def __init__(self, root: Path, options: Options, console: Console):
        self._root = root
        self._options = options
        self._console = console
        self._supervisor = Supervisor(root, self._environment())
        self._onboarding = Onboarding(self._supervisor)

    def run(self) -> None:
        """Bring everything up, say what to open, and watch; never returns."""
        began = time.monotonic()
        with self._supervisor.only_one():
            for port, option in ((self._options.web_port, "WEB_PORT"), (self._options.cliniko_port, "CLINIKO_PORT")):
                require_free(port, option)
            with self._services(), self._everything_stopped_afterwards():
                self._bring_up()
                banner.show(self._console, self._options, time.monotonic() - began)
                self._supervisor.watch()

    def _bring_up(self) -> None:
        self._start_cliniko()  # invents its patients while the tables are made
        with self._step("Database tables"):
            self._supervisor.run(sys.executable, "manage.py", "migrate", "--verbosity", "0")
        with self._step("Cliniko sandbox and web"):
            self._start_web()
            self._wait_for("http://127.0.0.1", self._options.cliniko_port, "/")
            self._wait_for("http://localhost", self._options.web_port, "/readyz")
        self._onboard()
        self._python("worker", "celery", "-A", "saas", "worker", "--concurrency", "2", "--loglevel", "INFO")
        self._python("beat", "celery", "-A", "saas", "beat", "--loglevel", "INFO")

    def _onboard(self) -> None:
        with self._step("Clinics"):
            keys = json.loads(self._keys_file.read_text())
            reports = [self._onboarding.onboard(clinic, keys) for clinic in self._options.clinics]
            self._onboarding.make_ops(OPS)
        for clinic, report in zip(self._options.clinics, reports, strict=True):
            connect(self._options.integrations_url(clinic), report["launch_url"])
            if not mirrored(report):
                self._console.print(f"First sync of {clinic.name}:")
                self._onboarding.mirror(clinic)

    def _start_cliniko(self) -> None:
        accounts = [f"--account={clinic.label}:{clinic.patients}" for clinic in self._options.clinics]
        database = self._root / ".local" / "cliniko.sqlite3"
        self._python(
            "cliniko",
            "sandbox.cliniko",
            f"--database={database}",
            f"--port={self._options.cliniko_port}",
            f"--approve=http://*.localhost:{self._options.web_port}/patients",
            f"--keys-file={self._keys_file}",
            *accounts,
        )

    def _start_web(self) -> None:
        listening = f"--bind=127.0.0.1:{self._options.web_port}"
        self._python(
            "web", "gunicorn", "saas.wsgi", listening, "--workers=2", "--threads=8", "--preload", "--no-control-socket"
        )

    def _wait_for(self, host: str, port: int, path: str) -> None:
        deadline = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < deadline:
            self._supervisor.check()
            with contextlib.suppress(requests.ConnectionError):
                if Browser().get(f"{host}:{port}{path}").status_code < 500:
                    return
            time.sleep(0.1)
        raise DemoError(f"Nothing answers on port {port} after {STARTING_SECONDS} seconds; see .local/logs/.")

    def _python(self, name: str, module: str, *words: str) -> Child:
        return self._supervisor.start(name, sys.executable, "-m", module, *words)

    @property
    def _keys_file(self) -> Path:
        return self._root / ".local" / "demo" / "keys.json"

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        with self._console.status(f"{name} …"):
            yield
        self._console.print(f"[green]ready[/green] {name} [dim]{time.monotonic() - began:.1f} s[/dim]")

    @contextlib.contextmanager
    def _services(self) -> Iterator[None]:
        """PostgreSQL and broker; those that this demo, or one that was killed, started are stopped afterwards."""
        note = self._root / ".local" / "demo" / "services.json"
        ours = json.loads(note.read_text()) if note.exists() else []
        with self._step("PostgreSQL and broker"):
            ours = sorted({*ours, *services.start(self._root)})
            note.write_text(json.dumps(ours))
        try:
            yield
        finally:
            services.stop(self._root, ours)
            note.unlink()

    @contextlib.contextmanager
    def _everything_stopped_afterwards(self) -> Iterator[None]:
        try:
            yield
        finally:
            _ignore_signals()
            self._console.print("Stopping …")
            self._supervisor.stop()

    def _environment(self) -> dict[str, str]:
        """Everything is said here, so that neither the shell nor a .env leads the demo to a real database or clinic."""
        return plain_environment(
            DATABASE_URL=services.postgres_url(self._root),
            CELERY_BROKER_URL=services.broker_url(self._root),
            BASE_DOMAIN="localhost",
            PUBLIC_SCHEME="http",
            PUBLIC_PORT=str(self._options.web_port),
            CLINIKO_API_URL=f"http://127.0.0.1:{self._options.cliniko_port}/api/{{shard}}/v1",
            CLINIKO_WEB_URL=f"http://localhost:{self._options.cliniko_port}/{{subdomain}}",
            CLINIKO_APP_NAME="Sidechart",
            CLINIKO_CONTACT_EMAIL="ops@sidechart.example",
            EMAIL_URL=f"file:///{self._root / '.local' / 'mail'}",
            SYNC_INTERVAL_SECONDS="15",
            STATE_DIRECTORY=str(self._root / ".local"),
            DEBUG="false",
            LOG_LEVEL="INFO",
        )
