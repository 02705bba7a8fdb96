"""A sandbox Cliniko with an account for each of the two clinics, reached over HTTP on this machine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from audit.log import OPS
from sandbox.cliniko.app import create_app, store_of
from sandbox.cliniko.server import serve
from sandbox.cliniko.store import Store
from sync.cliniko.client import ApiKey, Cliniko, Page
from sync.connection import connect
from sync.models import Patient
from sync.walk import reconcile
from sync.walk import run as walk_run
from sync.walk.schedule import reconcile_all
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.sync.in_process import API_URL, InProcess, list_at_once
from tests.sync.walk.state_machine import Clock, Stage


@dataclass
class World:
    """The sandbox's store, and the calls that a worker would make."""

    store: Store
    url: str

    def connect(self, label: str) -> None:
        with clinic_context(label):
            connect.connect(ApiKey(self.store.key(label)), by=OPS)

    def sync(self, label: str) -> None:
        """One quiet tick, over as many turns as it takes."""
        with clinic_context(label):
            done = walk_run.run_sync(pages=3)
            while not done:
                done = walk_run.run_sync(pages=3, everything=False)

    def compare(self, label: str) -> None:
        """One reconcile of everything."""
        with clinic_context(label):
            reconcile_all()
        self.sync(label)

    def mirrored_names(self, label: str) -> dict[str, str]:
        with clinic_context(label):
            rows = Patient.objects.filter(archived_at=None, deleted_at=None)
            return {row.cliniko_id: row.payload["first_name"] for row in rows}


@pytest.fixture
def world(tmp_path: Path, settings: Settings, bondi: Clinic, harbour: Clinic) -> Iterator[World]:
    """Two Cliniko accounts without patients."""
    app = create_app(tmp_path / "cliniko.sqlite3", requests_per_minute=100_000)
    store = store_of(app)
    store.add_account("bondi", "au1", seed=1)
    store.add_account("harbour", "au2", seed=2)
    with serve(app) as url:
        settings.CLINIKO_REQUESTS_PER_MINUTE = 100_000  # what is not about the budget is not held up by it
        settings.CLINIKO_API_URL = f"{url.rstrip('/')}/api/{{shard}}/v1"
        yield World(store, url)


@pytest.fixture
def connected(world: World) -> Callable[[str], World]:
    """`connected("bondi")`: the world with that clinic's key stored."""

    def connect_clinic(label: str) -> World:
        world.connect(label)
        return world

    return connect_clinic


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], Any]], None]:
    """`answering("medical_alerts", fail)`: lists of this resource are answered by what `fail` returns or raises."""
    real: Callable[..., Page] = Cliniko.list

    def replace(resource: str, answer: Callable[[], Any]) -> None:
        def listed(self: Cliniko, name: str, **words: Any) -> Page:
            found: Page = answer() if name == resource else real(self, name, **words)
            return found

        monkeypatch.setattr(Cliniko, "list", listed)

    return replace


@pytest.fixture
def stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings, bondi: Clinic, harbour: Clinic
) -> Iterator[Stage]:
    """Where the state machine plays: no sockets, few records, and pages that hold three of them."""
    clock = Clock()
    app = create_app(tmp_path / "template.sqlite3", requests_per_minute=1_000_000, now=clock)
    transport = InProcess(app)
    monkeypatch.setattr("requests.Session.get_adapter", lambda *_, **__: transport)
    monkeypatch.setattr("sync.cliniko.client.PER_PAGE", 3)
    monkeypatch.setattr(Cliniko, "list_ahead", list_at_once)
    monkeypatch.setattr(reconcile, "REREAD_AT_ONCE", 2)
    monkeypatch.setattr(timezone, "now", clock)
    settings.CLINIKO_API_URL = API_URL
    settings.CLINIKO_REQUESTS_PER_MINUTE = 1_000_000
    stage = Stage(app, clock, tmp_path)
    stage.build()
    yield stage
    stage.store.close()
