"""Services for every subject: PostgreSQL with fsync as in production, a broker, and the fake Cliniko API."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests

from bench.paths import HOME, ROOT, BenchError
from embedded import services


@contextmanager
def running_services() -> Iterator[None]:
    """Run the bench's PostgreSQL (with fsync) and broker during the block. Raises BenchError."""
    (HOME / "logs").mkdir(parents=True, exist_ok=True)
    try:
        with _lock(), services.running(HOME, fsync=True):
            yield
    except services.ServiceError as error:
        raise BenchError(str(error)) from error


@contextmanager
def _lock() -> Iterator[None]:
    """Hold the bench's lock: concurrent runs would distort each other. Raises BenchError if another one runs."""
    with (HOME / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchError("Another bench of this checkout is running: wait for it or stop it.") from None
        yield


def broker_url() -> str:
    return services.broker_url(HOME)


def database_url(name: str) -> str:
    return urlunsplit(urlsplit(services.postgres_url(HOME))._replace(path=f"/{name}"))


@contextmanager
def new_database(name: str) -> Iterator[str]:
    """Create an empty database, yield its URL, and drop it."""
    with psycopg.connect(database_url("sidechart"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
        admin.execute("CHECKPOINT")  # so the next subject doesn't pay for the last one's writes
        try:
            yield database_url(name)
        finally:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def fake_cliniko(patients: int, *, seed: int = 7) -> Iterator[str]:
    """Run the fake Cliniko API in its own process and yield its URL, …/v1."""
    words = (sys.executable, "-m", "bench.fake_cliniko.server", "--patients", str(patients), "--seed", str(seed))
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            url = server.stdout.readline().strip()
            if not url:
                raise BenchError("The fake Cliniko API didn't start.")
            yield f"{url}/v1"
        finally:
            server.terminate()


def control(api_url: str, action: str) -> dict[str, int]:
    """Send `touch/50`, `forget` or `requests` to the fake API; return its request counts by resource until then."""
    counts: dict[str, int] = requests.get(f"{api_url.removesuffix('/v1')}/bench/{action}", timeout=30).json()
    return counts
