"""Subjects of the bench: how to prepare each one, which processes to run, and what it has stored afterwards."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import psycopg

from bench import virtualenvs
from bench.processes import run_command
from bench.services import broker_url

KEY = "bench-0123456789abcdef-au1"


@dataclass(frozen=True)
class Workspace:
    """The API, the database and the peer's state folder of one import."""

    api_url: str
    database_url: str
    folder: Path
    key: str = KEY
    label: str = "bench"


@dataclass(frozen=True)
class StoredPatient:
    """A patient as stored by a subject. `shown` is True if it counts as one of the clinic's current patients."""

    updated_at: datetime
    shown: bool


class Subject(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def max_patients(self) -> int | None:
        """The number of patients it stops after, if all of them would take too long."""

    def prepare(self, workspace: Workspace) -> None:
        """Set up what an import needs, unmeasured."""

    def commands(self, workspace: Workspace, *, full: bool = True) -> Sequence[Sequence[str]]:
        """Return the pipeline of a full import, or of the daily run that its users do."""

    def environment(self, workspace: Workspace) -> dict[str, str]: ...

    def stored_patients(self, workspace: Workspace) -> dict[str, StoredPatient]:
        """Return all patients in its tables, by Cliniko id."""


def subject_environment(**settings: str) -> dict[str, str]:
    """Return a subject's environment: without database and Cliniko settings of the shell, and with telemetry off."""
    removed = ("PG", "DATABASE_", "CLINIKO_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(removed)}
    no_telemetry = {"DO_NOT_TRACK": "1", "RUNTIME__DLTHUB_TELEMETRY": "false"}
    return {**inherited, **no_telemetry, **settings}


@dataclass(frozen=True)
class Script:
    """A peer: a script in bench/peers/, in its own virtual environment or in ours."""

    name: str
    title: str
    words: tuple[str, ...]
    venv: str | None = None
    table: str = "patients"
    max_patients: int | None = None

    def prepare(self, workspace: Workspace) -> None:
        if self.venv:
            virtualenvs.ensure(self.venv)

    def commands(self, workspace: Workspace, *, full: bool = True) -> list[list[str]]:
        python = virtualenvs.program(self.venv, "python") if self.venv else sys.executable
        module, *arguments = self.words
        return [[python, "-m", f"bench.peers.{module}", *arguments]]

    def environment(self, workspace: Workspace) -> dict[str, str]:
        return subject_environment(
            BENCH_API_URL=workspace.api_url,
            BENCH_DATABASE_URL=workspace.database_url,
            BENCH_KEY=workspace.key,
            BENCH_FOLDER=str(workspace.folder),
        )

    def stored_patients(self, workspace: Workspace) -> dict[str, StoredPatient]:
        return read_patients(workspace, self.table)


@dataclass(frozen=True)
class Singer(Script):
    """A tap piped into target-postgres, whose state output is saved for the tap's next run."""

    def commands(self, workspace: Workspace, *, full: bool = True) -> list[list[str]]:
        [tap] = super().commands(workspace)
        target = [virtualenvs.program("singer", "target-postgres"), "--config", str(_target_config(workspace))]
        if self.words[1:] != ("incremental",):
            return [tap, target]
        state, output = workspace.folder / "state.json", workspace.folder / "output.jsonl"
        if output.exists():
            state.write_text(output.read_text().strip().rpartition("\n")[2])
        return [[*tap, str(state)], target, ["tee", str(output)]]


def _target_config(workspace: Workspace) -> Path:
    address = urlsplit(workspace.database_url)
    url = f"postgresql+psycopg://{address.username}@{address.path}?{address.query}&port={address.port}"
    config = workspace.folder / "target.json"
    config.write_text(json.dumps({"sqlalchemy_url": url, "default_target_schema": "clinic", "use_copy": True}))
    return config


@dataclass(frozen=True)
class Sidechart:
    """Sidechart, with its own commands."""

    name: str = "sidechart"
    title: str = "Sidechart"
    max_patients: int | None = None

    def prepare(self, workspace: Workspace) -> None:
        """Migrate the database, and create a clinic with its key."""
        self.migrate(workspace)
        owner = f"owner@{workspace.label}.example"
        self._manage(workspace, "clinic", "create", workspace.label, "--name", "Bench", "--owner", owner, "--json")
        self._manage(
            workspace, "clinic", "set-key", workspace.label, "--key-stdin", "--json", stdin=f"{workspace.key}\n"
        )

    def migrate(self, workspace: Workspace) -> None:
        self._manage(workspace, "migrate", "--verbosity", "0")

    def commands(self, workspace: Workspace, *, full: bool = True) -> list[list[str]]:
        return [
            [sys.executable, "manage.py", "clinic", "sync", workspace.label, "--json", *(["--full"] if full else [])]
        ]

    def environment(self, workspace: Workspace) -> dict[str, str]:
        return subject_environment(
            DATABASE_URL=workspace.database_url,
            CELERY_BROKER_URL=broker_url(),
            BASE_DOMAIN="localhost",
            PUBLIC_SCHEME="http",
            CLINIKO_API_URL=workspace.api_url,
            CLINIKO_REQUESTS_PER_MINUTE="1000000",
            EMAIL_URL="dummy://",
            DEBUG="false",
            LOG_LEVEL="INFO",
        )

    def stored_patients(self, workspace: Workspace) -> dict[str, StoredPatient]:
        return read_patients(workspace, f"{schema_of(workspace)}.sync_patient", id_column="cliniko_id")

    def _manage(self, workspace: Workspace, *words: str, stdin: str = "") -> None:
        run_command(sys.executable, "manage.py", *words, environment=self.environment(workspace), stdin=stdin)


def schema_of(workspace: Workspace) -> str:
    with psycopg.connect(workspace.database_url) as connection:
        row = connection.execute(
            "SELECT schema_name FROM tenants_clinic WHERE label = %s", (workspace.label,)
        ).fetchone()
    assert row
    return str(row[0])


def read_patients(workspace: Workspace, table: str, *, id_column: str = "id") -> dict[str, StoredPatient]:
    """Read columns by name from JSON: a peer that infers its table has no column for a field that is always empty."""
    sql = f"""SELECT row ->> '{id_column}', (row ->> 'updated_at')::timestamptz,
        coalesce(row ->> 'archived_at', '') = '' AND coalesce(row ->> 'deleted_at', '') = ''
        FROM (SELECT to_jsonb(patient) AS row FROM {table} AS patient) AS rows"""
    with psycopg.connect(workspace.database_url) as connection:
        return {id: StoredPatient(updated_at, shown) for id, updated_at, shown in connection.execute(sql)}
