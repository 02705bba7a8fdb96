"""Run the whole product on one machine: two clinics, the Cliniko sandbox, web, worker and beat."""

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import NoReturn

import requests
from rich.console import Console

from embedded import services
from sandbox import banner
from sandbox.browser import Browser
from sandbox.demo_data import OPERATOR, DemoOptions
from sandbox.onboarding import Onboarding, connect_app, is_imported
from sandbox.supervisor import Child, DemoError, Supervisor, check_port_free, child_environment, is_running

STARTUP_SECONDS = 60
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    def add(option: str, default: int, text: str) -> None:
        parser.add_argument(option, type=int, default=default, metavar="N", help=f"{text} (%(default)s)")

    add("--web-port", int(os.environ.get("WEB_PORT") or 8000), "port of Sidechart; also WEB_PORT")
    add("--cliniko-port", int(os.environ.get("CLINIKO_PORT") or 8100), "port of the Cliniko sandbox; also CLINIKO_PORT")
    add("--bondi", 1200, "patients of bondi, when it is created")
    add("--harbour", 300, "patients of harbour, when it is created")


def main(root: Path, options: DemoOptions) -> NoReturn:
    """Run the demo until Ctrl-C or SIGTERM, then stop everything it started. Exit with status 0, or 1 on failure."""
    console = Console(highlight=False)
    for signal_number in SIGNALS:
        signal.signal(signal_number, _interrupt)
    try:
        Demo(root, options, console).run()
    except (DemoError, services.ServiceError) as error:
        console.print(str(error), style="red", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("Stopped. The demo's data stays in .local/ for next time.")
        sys.exit(0)
    raise AssertionError("The demo only ends by a signal or an error.")


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    for signal_number in SIGNALS:  # another Ctrl-C must not interrupt the shutdown
        signal.signal(signal_number, signal.SIG_IGN)


def environment(root: Path, options: DemoOptions) -> dict[str, str]:
    """Return the demo's environment. Every variable is set, so neither the shell nor a .env file leads the demo to a
    real database or clinic."""
    return child_environment(
        DATABASE_URL=services.postgres_url(root),
        CELERY_BROKER_URL=services.broker_url(root),
        BASE_DOMAIN="localhost",
        PUBLIC_SCHEME="http",
        PUBLIC_PORT=str(options.web_port),
        CLINIKO_API_URL=f"http://127.0.0.1:{options.cliniko_port}/api/{{shard}}/v1",
        CLINIKO_WEB_URL=f"http://localhost:{options.cliniko_port}/{{subdomain}}",
        CLINIKO_APP_NAME="Sidechart",
        CLINIKO_CONTACT_EMAIL="ops@sidechart.example",
        EMAIL_URL=f"file:///{root / '.local' / 'mail'}",
        SYNC_INTERVAL_SECONDS="15",
        STATE_DIRECTORY=str(root / ".local"),
        DEBUG="false",
        LOG_LEVEL="INFO",
    )


def manage(root: Path, words: list[str]) -> NoReturn:
    """Replace this process with a manage.py command in the running demo's environment; exit with status 1 if there's no
    running demo."""
    try:
        options = DemoOptions(**json.loads(_options_file(root).read_text()))
    except FileNotFoundError:
        options = None
    if options is None or not is_running(root):
        sys.exit("The demo isn't running. Start it with `make demo`, then try again.")
    os.execve(sys.executable, [sys.executable, str(root / "manage.py"), *words], environment(root, options))  # noqa: S606 - no shell


def _options_file(root: Path) -> Path:
    return root / ".local" / "demo" / "options.json"


class Demo:
    def __init__(self, root: Path, options: DemoOptions, console: Console):
        self._root = root
        self._options = options
        self._console = console
        self._supervisor = Supervisor(root, environment(root, options))
        self._onboarding = Onboarding(self._supervisor)

    def run(self) -> None:
        """Start everything, print the banner, and watch the processes until one ends or a signal arrives."""
        started_at = time.monotonic()
        with self._supervisor.lock():
            for port, option in ((self._options.web_port, "WEB_PORT"), (self._options.cliniko_port, "CLINIKO_PORT")):
                check_port_free(port, option)
            with self._services(), self._stop_on_exit():
                _options_file(self._root).write_text(json.dumps(asdict(self._options)))
                self._start_everything()
                banner.show(self._console, self._options, time.monotonic() - started_at)
                self._supervisor.watch()

    def _start_everything(self) -> None:
        self._start_cliniko()  # creates its patients while the migrations run
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
            self._onboarding.create_operator(OPERATOR)
        for clinic, report in zip(self._options.clinics, reports, strict=True):
            connect_app(self._options.integrations_url(clinic), report["launch_url"])
            if not is_imported(report):
                self._console.print(f"First sync of {clinic.name}:")
                self._onboarding.import_records(clinic)

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
        self._python("web", "gunicorn", "saas.wsgi", f"--bind=127.0.0.1:{self._options.web_port}", "--workers=2")

    def _wait_for(self, host: str, port: int, path: str) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        while time.monotonic() < deadline:
            self._supervisor.check()
            with contextlib.suppress(requests.ConnectionError):
                if Browser().get(f"{host}:{port}{path}").status_code < 500:
                    return
            time.sleep(0.1)
        raise DemoError(f"No response on port {port} after {STARTUP_SECONDS} seconds; see .local/logs/.")

    def _python(self, name: str, module: str, *words: str) -> Child:
        return self._supervisor.start(name, sys.executable, "-m", module, *words)

    @property
    def _keys_file(self) -> Path:
        return self._root / ".local" / "demo" / "keys.json"

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started_at = time.monotonic()
        with self._console.status(f"{name} …"):
            yield
        self._console.print(f"[green]ready[/green] {name} [dim]{time.monotonic() - started_at:.1f} s[/dim]")

    @contextlib.contextmanager
    def _services(self) -> Iterator[None]:
        """Run PostgreSQL and broker; afterwards stop those that this demo or a killed one started."""
        record = self._root / ".local" / "demo" / "services.json"
        ours = json.loads(record.read_text()) if record.exists() else []
        with self._step("PostgreSQL and broker"):
            ours = sorted({*ours, *services.start(self._root)})
            record.write_text(json.dumps(ours))
        try:
            yield
        finally:
            services.stop(self._root, ours)
            record.unlink()

    @contextlib.contextmanager
    def _stop_on_exit(self) -> Iterator[None]:
        try:
            yield
        finally:
            _ignore_signals()
            self._console.print("Stopping …")
            self._supervisor.stop()
