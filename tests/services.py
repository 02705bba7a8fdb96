"""pytest plugin: a PostgreSQL and a broker for the length of one run, unless the environment names real ones.

Each run has a directory of its own below .local/test/, so that two runs, or a run and the demo, share nothing. A new
one is ready in under a second; what a killed run left behind is cleared by the next.
"""

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from embedded import services

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / ".local" / "test"

# The same on every machine, whatever its environment or its .env say.
WORLD = {
    "BASE_DOMAIN": "localhost",
    "PUBLIC_SCHEME": "http",
    "PUBLIC_PORT": "8000",
    "CLINIKO_API_URL": "https://api.{shard}.cliniko.com/v1",
    "CLINIKO_WEB_URL": "https://{subdomain}.{shard}.cliniko.com",
    "CLINIKO_APP_NAME": "Sidechart",
    "CLINIKO_CONTACT_EMAIL": "ops@sidechart.example",
    "EMAIL_URL": "console://",
    "DEBUG": "false",
    "LOG_LEVEL": "INFO",
    "CLINIKO_REQUESTS_PER_MINUTE": "200",
    "CLINIKO_REQUESTS_RESERVED": "60",
    "SYNC_INTERVAL_SECONDS": "60",
}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Before any plugin reads the settings: set the addresses. Workers of pytest-xdist inherit them."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        _take_own_queues(int(worker.removeprefix("gw")))
    else:
        os.environ.update(WORLD)
        _provide_services(early_config)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    # Registered last: its fixtures must come after, and so replace, those of pytest-playwright.
    config.pluginmanager.import_plugin("tests.browser")


def _provide_services(config: pytest.Config) -> None:
    addresses = {"DATABASE_URL": services.postgres_url, "CELERY_BROKER_URL": services.broker_url}
    missing = [variable for variable in addresses if not os.environ.get(variable)]
    if not missing:
        return
    run = contextlib.ExitStack()
    config.add_cleanup(run.close)
    try:
        home = run.enter_context(own_services())
    except services.ServiceError as refused:
        raise pytest.UsageError(str(refused)) from refused
    os.environ.update({variable: addresses[variable](home) for variable in missing})


def _take_own_queues(worker: int) -> None:
    """Give each worker of pytest-xdist a database of its own in the embedded broker, which has sixteen."""
    address = os.environ["CELERY_BROKER_URL"]
    os.environ["CELERY_BROKER_URL"] = re.sub(
        r"^(redis\+socket:.*)virtual_host=0$", rf"\1virtual_host={worker % 16}", address
    )


@contextlib.contextmanager
def own_services() -> Iterator[Path]:
    """A new directory with both services running; gone afterwards."""
    with contextlib.ExitStack() as run:
        home = _new_home(run)
        run.enter_context(services.running(home, fsync=False))
        yield home


def _new_home(run: contextlib.ExitStack) -> Path:
    """A directory whose lock is held as long as `run` lives: the system releases it however the run ends."""
    RUNS.mkdir(parents=True, exist_ok=True)
    with _locked(RUNS / "lock"):
        _clear_what_killed_runs_left()
        home = Path(tempfile.mkdtemp(prefix="run-", dir=RUNS))
        run.callback(shutil.rmtree, home, ignore_errors=True)
        run.enter_context(_locked(home / "lock"))
    return home


def _clear_what_killed_runs_left() -> None:
    for home in RUNS.glob("run-*"):
        with contextlib.suppress(BlockingIOError), _locked(home / "lock", fcntl.LOCK_NB):
            services.stop(home)
            shutil.rmtree(home, ignore_errors=True)


def _locked(path: Path, how: int = 0) -> IO[str]:
    """An open file that holds its lock until it is closed."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | how)
    except BlockingIOError:
        file.close()
        raise
    return file
