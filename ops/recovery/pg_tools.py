"""Run pg_dump, pg_restore and psql on the configured database."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from django.db import connection
from psycopg.conninfo import make_conninfo

from embedded.postgres import binaries
from embedded.services import ServiceError
from ops.errors import Refused

# Connection parameters that are psycopg's own, and the password, which must not be in a process's arguments.
_NOT_ARGUMENTS = {"context", "cursor_factory", "prepare_threshold", "password"}


def program(name: str) -> str:
    """Return the path of `pg_dump`, `pg_restore` or `psql`: the first that isn't older than the server.

    Raises Refused.
    """
    connection.ensure_connection()
    server = int(connection.pg_version) // 10_000  # type: ignore[attr-defined]  # of PostgreSQL's wrapper alone
    found = []
    for path in _candidates(name):
        printed = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - our path
        match = re.search(r"\) (\d+)", printed.stdout)
        version = int(match[1]) if match else 0
        if version >= server:
            return path
        found.append(str(version))
    if not found:
        raise Refused(f"{name} isn't installed: install the PostgreSQL {server} client programs.")
    raise Refused(f"{name} {' and '.join(found)} is too old for PostgreSQL {server}: install version {server}.")


def run(command: list[str]) -> str:
    """Run one of the programs and return its output. Raises Refused with the last line of its errors."""
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        error = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        raise Refused(f"{Path(command[0]).name} failed: {error.rstrip('.')}.")
    return done.stdout


def target() -> str:
    """Return the database for the programs' `--dbname`, without the password."""
    parameters = connection.get_connection_params()
    return make_conninfo("", **{name: value for name, value in parameters.items() if name not in _NOT_ARGUMENTS})


def environment() -> dict[str, str]:
    """Return the programs' environment variables, in UTC and with the password."""
    password = connection.get_connection_params().get("password")
    return {**os.environ, **({"PGPASSWORD": password} if password else {}), "PGCONNECT_TIMEOUT": "10", "TZ": "UTC"}


def _candidates(name: str) -> Iterator[str]:
    on_path = shutil.which(name)
    if on_path:
        yield on_path
    try:
        embedded: Path = binaries() / name
    except ServiceError:
        return
    if embedded.exists():
        yield str(embedded)
