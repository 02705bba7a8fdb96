"""PostgreSQL and a broker for a machine that has neither: where they are, starting them and stopping them.

The addresses follow from the checkout's path alone, so that a process which starts nothing knows them too. Nothing
beyond the standard library is imported here.
"""

import contextlib
import fcntl
import sys
from collections.abc import Iterator
from pathlib import Path

from embedded.paths import ServiceError
from embedded.postgres import Postgres
from embedded.valkey import Valkey

__all__ = ["ServiceError", "broker_url", "main", "postgres_url", "running", "start", "status", "stop"]


def postgres_url(root: Path) -> str:
    """DATABASE_URL of the embedded PostgreSQL of the checkout at `root`; starts nothing."""
    return Postgres(root).url


def broker_url(root: Path) -> str:
    """CELERY_BROKER_URL of the embedded Valkey of the checkout at `root`; starts nothing."""
    return Valkey(root).url


def start(root: Path, *, fsync: bool = True) -> list[str]:
    """Have both running; the names of those that this call started. Without `fsync` a power cut may cost data."""
    with _one_at_a_time(root), contextlib.ExitStack() as undo:
        started = []
        for service in _services(root):
            if service.start(fsync=fsync):
                started.append(service.name)
                undo.callback(service.stop)
        undo.pop_all()
    return started


def stop(root: Path, names: list[str] | None = None) -> list[str]:
    """Stop the named services, or both; the names of those that ran."""
    with _one_at_a_time(root):
        chosen = [service for service in reversed(_services(root)) if names is None or service.name in names]
        return [service.name for service in chosen if service.stop()]


def status(root: Path) -> dict[str, bool]:
    """Which of the two answer."""
    return {service.name: service.answers() for service in _services(root)}


@contextlib.contextmanager
def running(root: Path, *, fsync: bool = True) -> Iterator[None]:
    """Both services for the length of a block; afterwards only those stop that were not running before."""
    started = start(root, fsync=fsync)
    try:
        yield
    finally:
        stop(root, started)


def _services(root: Path) -> tuple[Postgres, Valkey]:
    return Postgres(root), Valkey(root)


@contextlib.contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Hold the checkout's lock: two starts at once would make one data directory twice."""
    local = root / ".local"
    local.mkdir(exist_ok=True)
    try:
        lock = (local / "services.lock").open("a")
    except PermissionError as refused:
        raise ServiceError(f"{local} belongs to another user: run as that user, or remove it.") from refused
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(root: Path, action: str) -> None:
    """`python -m sandbox services ACTION`; exits with status 1 and one sentence when it cannot be done."""
    try:
        if action == "start":
            start(root)
        elif action == "stop":
            stop(root)
        _tell(root)
    except ServiceError as refused:
        sys.exit(str(refused))


def _tell(root: Path) -> None:
    answering = status(root)
    for service in _services(root):
        print(f"{service.name:<9}{'running' if answering[service.name] else 'stopped':<9}{service.url}")
