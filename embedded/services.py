"""Start and stop a PostgreSQL and a broker on a machine that has neither.

Their URLs depend only on the checkout's path, so every process can compute them. Imports only the standard library.
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
    """Return DATABASE_URL for the embedded PostgreSQL of the checkout at `root`."""
    return Postgres(root).url


def broker_url(root: Path) -> str:
    """Return CELERY_BROKER_URL for the embedded Valkey of the checkout at `root`."""
    return Valkey(root).url


def start(root: Path, *, fsync: bool = True) -> list[str]:
    """Start both and return the names of those that weren't running. Without `fsync` a power cut may lose data."""
    with _lock(root), contextlib.ExitStack() as undo:
        started = []
        for service in _services(root):
            if service.start(fsync=fsync):
                started.append(service.name)
                undo.callback(service.stop)
        undo.pop_all()
    return started


def stop(root: Path, names: list[str] | None = None) -> list[str]:
    """Stop the named services, or both, and return the names of those that were running."""
    with _lock(root):
        chosen = [service for service in reversed(_services(root)) if names is None or service.name in names]
        return [service.name for service in chosen if service.stop()]


def status(root: Path) -> dict[str, bool]:
    """Return which services respond, by name."""
    return {service.name: service.responds() for service in _services(root)}


@contextlib.contextmanager
def running(root: Path, *, fsync: bool = True) -> Iterator[None]:
    """Run both services during the block, then stop those that weren't running before."""
    started = start(root, fsync=fsync)
    try:
        yield
    finally:
        stop(root, started)


def _services(root: Path) -> tuple[Postgres, Valkey]:
    return Postgres(root), Valkey(root)


@contextlib.contextmanager
def _lock(root: Path) -> Iterator[None]:
    """Hold the checkout's lock: concurrent starts would create one data directory twice."""
    local = root / ".local"
    local.mkdir(exist_ok=True)
    try:
        lock = (local / "services.lock").open("a")
    except PermissionError as error:
        raise ServiceError(f"{local} belongs to another user: run as that user or remove it.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(root: Path, action: str) -> None:
    """Run `python -m sandbox services ACTION`; exit with status 1 and one sentence on failure."""
    try:
        if action == "start":
            start(root)
        elif action == "stop":
            stop(root)
        for service in _services(root):
            print(f"{service.name:<9}{'running' if service.responds() else 'stopped':<9}{service.url}")
    except ServiceError as error:
        sys.exit(str(error))
