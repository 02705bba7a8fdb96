"""Who is measured. A subject says what to prepare, which processes to run, and what it holds afterwards."""

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

from bench import environments
from bench.children import command
from bench.services import broker_url

KEY = "bench-0123456789abcdef-au1"


@dataclass(frozen=True)
class Place:
    """Where one import happens: from which API, into which database, with which folder for notes of the peer's own."""

    api_url: str
    database_url: str
    folder: Path
    key: str = KEY
    label: str = "bench"


@dataclass(frozen=True)
class Held:
    """A patient as a subject has it. `shown` tells whether people would see them as one of the clinic's patients."""

    updated_at: datetime
    shown: bool


class Subject(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def most(self) -> int | None:
        """The patients it stops after, where all of them would take too long."""

    def prepare(self, place: Place) -> None:
        """What has to be there before an import, and is not measured."""

    def commands(self, place: Place, *, full: bool = True) -> Sequence[Sequence[str]]:
        """The processes of one import, piped one into the next. Not `full`: what its users run day by day."""

    def environment(self, place: Place) -> dict[str, str]: ...

    def held(self, place: Place) -> dict[str, Held]:
        """All patients in its tables, by Cliniko's id."""


def plain_environment(**settings: str) -> dict[str, str]:
    """Ours, without what make and other databases would tell the children, and with every peer's telemetry off."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "DATABASE_", "CLINIKO_"))}
    quiet = {"DO_NOT_TRACK": "1", "RUNTIME__DLTHUB_TELEMETRY": "false", "AIRBYTE_OFFLINE_MODE": "1"}
    return {**ours, **quiet, **settings}


@dataclass(frozen=True)
class Script:
    """A peer: one of the scripts in bench/peers/, in the virtual environment of its own or in ours."""

    name: str
    title: str
    words: tuple[str, ...]
    venv: str | None = None
    table: str = "patients"
    most: int | None = None

    def prepare(self, place: Place) -> None:
        if self.venv:
            environments.ensure(self.venv)

    def commands(self, place: Place, *, full: bool = True) -> list[list[str]]:
        python = environments.program(self.venv, "python") if self.venv else sys.executable
        module, *arguments = self.words
        return [[python, "-m", f"bench.peers.{module}", *arguments]]

    def environment(self, place: Place) -> dict[str, str]:
        return plain_environment(
            BENCH_API_URL=place.api_url,
            BENCH_DATABASE_URL=place.database_url,
            BENCH_KEY=place.key,
            BENCH_FOLDER=str(place.folder),
        )

    def held(self, place: Place) -> dict[str, Held]:
        return read_held(place, self.table)


@dataclass(frozen=True)
class Singer(Script):
    """Our tap, piped into target-postgres; the state that the target tells goes to a file where the tap wants it."""

    def commands(self, place: Place, *, full: bool = True) -> list[list[str]]:
        [tap] = super().commands(place)
        target = [environments.program("singer", "target-postgres"), "--config", str(_target_config(place))]
        if self.words[1:] != ("incremental",):
            return [tap, target]
        state, told = place.folder / "state.json", place.folder / "told.jsonl"
        if told.exists():
            state.write_text(told.read_text().strip().rpartition("\n")[2])
        return [[*tap, str(state)], target, ["tee", str(told)]]


def _target_config(place: Place) -> Path:
    address = urlsplit(place.database_url)
    url = f"postgresql+psycopg://{address.username}@{address.path}?{address.query}&port={address.port}"
    config = place.folder / "target.json"
    config.write_text(json.dumps({"sqlalchemy_url": url, "default_target_schema": "clinic", "use_copy": True}))
    return config


@dataclass(frozen=True)
class Sidechart:
    """The product, by the commands that ops use."""

    name: str = "sidechart"
    title: str = "Sidechart"
    most: int | None = None

    def prepare(self, place: Place) -> None:
        """Migrate the database, and make a new clinic with its key."""
        self.migrate(place)
        owner = f"owner@{place.label}.example"
        self._manage(place, "clinic", "create", place.label, "--name", "Bench", "--owner", owner, "--json")
        self._manage(place, "clinic", "set-key", place.label, "--key-stdin", "--json", typed=f"{place.key}\n")

    def migrate(self, place: Place) -> None:
        self._manage(place, "migrate", "--verbosity", "0")

    def commands(self, place: Place, *, full: bool = True) -> list[list[str]]:
        return [[sys.executable, "manage.py", "clinic", "sync", place.label, "--json", *(["--full"] if full else [])]]

    def environment(self, place: Place) -> dict[str, str]:
        return plain_environment(
            DATABASE_URL=place.database_url,
            CELERY_BROKER_URL=broker_url(),
            BASE_DOMAIN="localhost",
            PUBLIC_SCHEME="http",
            CLINIKO_API_URL=place.api_url,
            CLINIKO_REQUESTS_PER_MINUTE="1000000",
            EMAIL_URL="dummy://",
            DEBUG="false",
            LOG_LEVEL="INFO",
        )

    def held(self, place: Place) -> dict[str, Held]:
        return read_held(place, f"{schema_of(place)}.sync_patient", id_column="cliniko_id")

    def _manage(self, place: Place, *words: str, typed: str = "") -> None:
        command(sys.executable, "manage.py", *words, environment=self.environment(place), typed=typed)


def schema_of(place: Place) -> str:
    with psycopg.connect(place.database_url) as connection:
        row = connection.execute("SELECT schema_name FROM tenants_clinic WHERE label = %s", (place.label,)).fetchone()
    assert row
    return str(row[0])


def read_held(place: Place, table: str, *, id_column: str = "id") -> dict[str, Held]:
    """By name of column, since a peer that infers its table makes no column for what was never filled in."""
    sql = f"""SELECT row ->> '{id_column}', (row ->> 'updated_at')::timestamptz,
        coalesce(row ->> 'archived_at', '') = '' AND coalesce(row ->> 'deleted_at', '') = ''
        FROM (SELECT to_jsonb(held) AS row FROM {table} AS held) AS rows"""
    with psycopg.connect(place.database_url) as connection:
        return {id: Held(updated_at, shown) for id, updated_at, shown in connection.execute(sql)}
