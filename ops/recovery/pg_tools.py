"""PostgreSQL's own programs, on the database of the environment."""

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

_OURS = {"context", "cursor_factory", "prepare_threshold", "password"}  # of psycopg, and what arguments never hold


def program(name: str) -> str:
    """Where `pg_dump`, `pg_restore` or `psql` is: the first one that is not older than the server. Raises Refused."""
    connection.ensure_connection()
    needed = int(connection.pg_version) // 10_000  # type: ignore[attr-defined]
    found = []
    for path in _candidates(name):
        version = _major(path)
        if version >= needed:
            return path
        found.append(str(version))
    if not found:
        raise Refused(f"{name} is not installed: install PostgreSQL's client programs, version {needed}.")
    raise Refused(f"{name} {' and '.join(found)} cannot serve PostgreSQL {needed}: install version {needed} of it.")


def target() -> str:
    """The database, as the programs' `--dbname` takes it; without the password."""
    parameters = connection.get_connection_params()
    return make_conninfo("", **{name: value for name, value in parameters.items() if name not in _OURS})


def environment() -> dict[str, str]:
    """The programs' environment, in UTC; the password goes through it, and through no argument."""
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


def _major(path: str) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - our own path
    version = re.search(r"\) (\d+)", said.stdout)
    return int(version[1]) if version else 0
