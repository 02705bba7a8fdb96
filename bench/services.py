"""What every subject is measured against: PostgreSQL as safe as in production, a broker, and the instant API."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests

from bench.places import HOME, ROOT, BenchError
from embedded import services


@contextmanager
def running_services() -> Iterator[None]:
    """The bench's own PostgreSQL and broker. Commits reach the disk. Raises BenchError."""
    (HOME / "logs").mkdir(parents=True, exist_ok=True)
    try:
        with _only_one(), services.running(HOME, fsync=True):
            yield
    except services.ServiceError as refused:
        raise BenchError(str(refused)) from refused


@contextmanager
def _only_one() -> Iterator[None]:
    """Two at once would measure each other. Raises BenchError when another one is at it."""
    with (HOME / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchError("Another bench of this checkout is running: wait for it, or end it.") from None
        yield


def broker_url() -> str:
    return services.broker_url(HOME)


def database_url(name: str) -> str:
    return urlunsplit(urlsplit(services.postgres_url(HOME))._replace(path=f"/{name}"))


@contextmanager
def new_database(name: str) -> Iterator[str]:
    """An empty database and its address; dropped afterwards."""
    with psycopg.connect(database_url("sidechart"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
        admin.execute("CHECKPOINT")  # what came before is not to be paid for by who comes next
        try:
            yield database_url(name)
        finally:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def instant_api(patients: int, *, seed: int = 7) -> Iterator[str]:
    """The instant API with so many patients in a process of its own; answers its address, …/v1."""
    words = (sys.executable, "-m", "bench.instant", "--patients", str(patients), "--seed", str(seed))
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            address = server.stdout.readline().strip()
            if not address:
                raise BenchError("The instant API does not start.")
            yield f"{address}/v1"
        finally:
            server.terminate()


def control(api_url: str, action: str) -> dict[str, int]:
    """Tell the instant API something: `touch/50`, `forget`, `requests`. Answers its requests by resource until then."""
    counted: dict[str, int] = requests.get(f"{api_url.removesuffix('/v1')}/bench/{action}", timeout=30).json()
    return counted
