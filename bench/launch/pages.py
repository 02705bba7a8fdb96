"""A launch by somebody signed in, from Cliniko's click to the patient's page, beside two other ways to serve it.

The same pages three times, each under gunicorn over the same database: for one clinic in a plain Django (the floor),
behind stock django-tenants, and as the product.
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

from bench.children import command
from bench.lineup import SIDECHART
from bench.places import HOME, ROOT, BenchError
from bench.services import new_database
from bench.subjects import Place
from bench.sync.attempts import Say
from bench.sync.options import Options
from sandbox.browser import Browser, FormFields

LABEL = "bench"
APPOINTMENTS = 60
WARM_UP = 20
SERVERS = {
    "plain": ("Django for one clinic (the floor)", "bench.launch.plain_settings"),
    "sidechart": ("Sidechart", "saas.settings"),
    "stock": ("stock django-tenants", "bench.launch.stock_settings"),
}


def run(options: Options, say: Say) -> dict[str, Any]:
    """Launch so many times at each server in turn, so that a ratio compares neighbours in time.

    Raises BenchError when a server does not start or does not show the page.
    """
    say(f"launch: {options.launches} launches of a patient with {APPOINTMENTS} appointments")
    with new_database("bench_launch") as database, tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        place = Place("http://127.0.0.1:9/v1", database, Path(folder))
        SIDECHART.migrate(place)
        words = (sys.executable, "-m", "bench.launch.furnish", LABEL, str(APPOINTMENTS))
        made = json.loads(command(*words, environment=SIDECHART.environment(place)).strip().splitlines()[-1])
        ports = {name: running.enter_context(_server(place, name, made["schema"])) for name in SERVERS}
        seconds = _launches(ports, made, options.launches)
    return {"launches": options.launches, "rows": [_row(name, seconds) for name in SERVERS]}


def _launches(ports: dict[str, int], made: dict[str, str], launches: int) -> dict[str, list[float]]:
    browser = Browser()  # one session serves all three: they share the clinic's schema
    _sign_in(browser, ports["sidechart"], made)
    seconds: dict[str, list[float]] = {name: [] for name in SERVERS}
    for number in range(WARM_UP + launches):
        for name, port in ports.items():
            started = time.perf_counter()
            page = _launch(browser, port, made["patient"])
            if number >= WARM_UP:
                seconds[name].append(time.perf_counter() - started)
            elif page.count('class="appointment"') < APPOINTMENTS:
                raise BenchError(f"{SERVERS[name][0]} does not show the patient.")
    return seconds


def _launch(browser: Browser, port: int, patient_id: str) -> str:
    site = f"http://{LABEL}.localhost:{port}"
    answer = browser.get(f"{site}/patients?patient_id={patient_id}")
    page = browser.get(site + answer.headers.get("Location", "/"))
    return page.text if page.status_code == 200 else ""


def _sign_in(browser: Browser, port: int, made: dict[str, str]) -> None:
    site = f"http://{LABEL}.localhost:{port}"
    fields = dict(FormFields(browser.get(f"{site}/login").text).values)
    fields |= {"login": made["email"], "password": made["password"]}
    if browser.post(f"{site}/login", list(fields.items())).status_code != 302:
        raise BenchError("The bench could not sign in.")


@contextmanager
def _server(place: Place, name: str, schema: str) -> Iterator[int]:
    """gunicorn with two workers, and its port once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = SIDECHART.environment(place) | {
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
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        try:
            Browser().get(f"http://{LABEL}.localhost:{port}/login")
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise BenchError(f"{SERVERS[name][0]} does not start; see {HOME / 'logs' / f'launch-{name}.log'}.")


def _row(name: str, seconds: dict[str, list[float]]) -> dict[str, Any]:
    milliseconds = [each * 1000 for each in seconds[name]]
    return {
        "name": name,
        "title": SERVERS[name][0],
        "milliseconds": median(milliseconds),
        "p95": quantiles(milliseconds, n=20)[-1],
        "times_the_floor": median(milliseconds) / (median(seconds["plain"]) * 1000),
    }
