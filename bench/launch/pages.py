"""Measure a launch, from the click in Cliniko to the patient's page, in three setups.

Each setup serves the same pages with gunicorn from the same database: plain Django for one clinic (the baseline), stock
django-tenants, and the product.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import requests

from bench.paths import HOME, ROOT, BenchError
from bench.processes import run_command
from bench.services import new_database
from bench.subject_list import SIDECHART
from bench.subjects import Workspace
from bench.sync.options import Options
from bench.sync.subject_runs import Log
from sandbox.browser import Browser, FormFields

LABEL = "bench"
APPOINTMENTS = 60
WARM_UP = 20
SERVERS = {
    "plain": ("Django for one clinic (baseline)", "bench.launch.single_clinic_settings"),
    "sidechart": ("Sidechart", "saas.settings"),
    "stock": ("stock django-tenants", "bench.launch.django_tenants_settings"),
}


def run(options: Options, log: Log) -> dict[str, Any]:
    """Launch at each server in turn, so that ratios compare runs close in time.

    Raises BenchError if a server doesn't start or doesn't show the page.
    """
    log(f"launch: {options.launches} launches of a patient with {APPOINTMENTS} appointments")
    with new_database("bench_launch") as database, tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        workspace = Workspace("http://127.0.0.1:9/v1", database, Path(folder))
        SIDECHART.migrate(workspace)
        words = (sys.executable, "-m", "bench.launch.create_clinic", LABEL, str(APPOINTMENTS))
        clinic = json.loads(run_command(*words, environment=SIDECHART.environment(workspace)).strip().splitlines()[-1])
        ports = {name: running.enter_context(_server(workspace, name, clinic["schema"])) for name in SERVERS}
        seconds = _launches(ports, clinic, options.launches)
    return {"launches": options.launches, "rows": [_row(name, seconds) for name in SERVERS]}


def _launches(ports: dict[str, int], clinic: dict[str, str], launches: int) -> dict[str, list[float]]:
    browser = Browser()  # all three share the clinic's schema, and so the session
    _sign_in(browser, ports["sidechart"], clinic)
    seconds: dict[str, list[float]] = {name: [] for name in SERVERS}
    for number in range(WARM_UP + launches):
        for name, port in ports.items():
            started = time.perf_counter()
            page = _launch(browser, port, clinic["patient"])
            if number >= WARM_UP:
                seconds[name].append(time.perf_counter() - started)
            elif page.count('class="appointment"') < APPOINTMENTS:
                raise BenchError(f"{SERVERS[name][0]} doesn't show the patient.")
    return seconds


def _launch(browser: Browser, port: int, patient_id: str) -> str:
    origin = f"http://{LABEL}.localhost:{port}"
    answer = browser.get(f"{origin}/patients?patient_id={patient_id}")
    page = browser.get(origin + answer.headers.get("Location", "/"))
    return page.text if page.status_code == 200 else ""


def _sign_in(browser: Browser, port: int, clinic: dict[str, str]) -> None:
    origin = f"http://{LABEL}.localhost:{port}"
    fields = dict(FormFields(browser.get(f"{origin}/login").text).values)
    fields |= {"login": clinic["email"], "password": clinic["password"]}
    if browser.post(f"{origin}/login", list(fields.items())).status_code != 302:
        raise BenchError("The bench could not sign in.")


@contextmanager
def _server(workspace: Workspace, name: str, schema: str) -> Iterator[int]:
    """Run gunicorn with two workers and yield its port once it responds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = SIDECHART.environment(workspace) | {
        "DJANGO_SETTINGS_MODULE": SERVERS[name][1],
        "PUBLIC_PORT": str(port),
        "BENCH_SCHEMA": schema,
    }
    words = (sys.executable, "-m", "gunicorn", "saas.wsgi", f"--bind=127.0.0.1:{port}", "--workers=2")
    with (HOME / "logs" / f"launch-{name}.log").open("wb") as log:
        server = subprocess.Popen([*words, "--no-control-socket"], cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(port, name)
            yield port
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for(port: int, name: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            Browser().get(f"http://{LABEL}.localhost:{port}/login")
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise BenchError(f"{SERVERS[name][0]} didn't start; see {HOME / 'logs' / f'launch-{name}.log'}.")


def _row(name: str, seconds: dict[str, list[float]]) -> dict[str, Any]:
    milliseconds = [each * 1000 for each in seconds[name]]
    return {
        "name": name,
        "title": SERVERS[name][0],
        "milliseconds": median(milliseconds),
        "p95": quantiles(milliseconds, n=20)[-1],
        "times_the_baseline": median(milliseconds) / (median(seconds["plain"]) * 1000),
    }
