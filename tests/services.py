"""pytest plugin: start a PostgreSQL and a broker for one test run, unless the environment has their URLs.

Each run has its own directory below .local/test/ and shares nothing with other runs or the demo. The next run deletes
what a killed one left.
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
from django.conf import settings

from embedded import services

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / ".local" / "test"

# The same on every machine, whatever its environment or .env.
ENVIRONMENT = {
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
    """Set the URLs before any plugin reads the settings. Workers of pytest-xdist inherit them."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        _use_own_broker_database(int(worker.removeprefix("gw")))
    else:
        os.environ.update(ENVIRONMENT)
        _start_services(early_config)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    # Registered last, so that its fixtures replace those of pytest-playwright.
    config.pluginmanager.import_plugin("tests.browser")
    # Otherwise every test client scans all static files again: a fifth of the time of tests that request pages.
    settings.WHITENOISE_AUTOREFRESH = True


def _start_services(config: pytest.Config) -> None:
    urls = {"DATABASE_URL": services.postgres_url, "CELERY_BROKER_URL": services.broker_url}
    missing = [variable for variable in urls if not os.environ.get(variable)]
    if not missing:
        return
    run = contextlib.ExitStack()
    config.add_cleanup(run.close)
    try:
        home = run.enter_context(own_services())
    except services.ServiceError as error:
        raise pytest.UsageError(str(error)) from error
    os.environ.update({variable: urls[variable](home) for variable in missing})


def _use_own_broker_database(worker: int) -> None:
    """Give each worker of pytest-xdist one of the embedded broker's sixteen databases."""
    url = os.environ["CELERY_BROKER_URL"]
    os.environ["CELERY_BROKER_URL"] = re.sub(
        r"^(redis\+socket:.*)virtual_host=0$", rf"\1virtual_host={worker % 16}", url
    )


@contextlib.contextmanager
def own_services() -> Iterator[Path]:
    """Run both services in a new directory, and delete it afterwards."""
    with contextlib.ExitStack() as run:
        home = _new_home(run)
        run.enter_context(services.running(home, fsync=False))
        yield home


def _new_home(run: contextlib.ExitStack) -> Path:
    """Create a directory, locked until the run ends in any way."""
    RUNS.mkdir(parents=True, exist_ok=True)
    with _locked(RUNS / "lock"):
        _delete_killed_runs()
        home = Path(tempfile.mkdtemp(prefix="run-", dir=RUNS))
        run.callback(shutil.rmtree, home, ignore_errors=True)
        run.enter_context(_locked(home / "lock"))
    return home


def _delete_killed_runs() -> None:
    for home in RUNS.glob("run-*"):
        with contextlib.suppress(BlockingIOError), _locked(home / "lock", fcntl.LOCK_NB):
            services.stop(home)
            shutil.rmtree(home, ignore_errors=True)


def _locked(path: Path, flags: int = 0) -> IO[str]:
    """Open a file and hold its lock until it is closed."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | flags)
    except BlockingIOError:
        file.close()
        raise
    return file
