"""pytest plugin: a stand-in for Cliniko with an account for each of the two clinics, served on this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_django import Settings

from audit.log import OPS
from sandbox.cliniko.app import create_app
from sandbox.cliniko.app_state import store_of
from sandbox.cliniko.server import serve
from sandbox.cliniko.store import Store
from sync.cliniko.client import ApiKey
from sync.connection import connect
from sync.models import Patient
from sync.walk import run as walk_run
from sync.walk.schedule import reconcile_all
from tenants.context import clinic_context
from tenants.models import Clinic


@dataclass
class Sandbox:
    """A running stand-in for Cliniko, and the calls that a worker makes."""

    store: Store
    url: str

    def connect(self, label: str) -> None:
        with clinic_context(label):
            connect.connect(ApiKey(self.store.key(label)), by=OPS)

    def sync(self, label: str) -> None:
        """Run one tick's sync to its end, over as many slices as it takes."""
        with clinic_context(label):
            done = walk_run.run_sync(pages=3)
            while not done:
                done = walk_run.run_sync(pages=3, everything=False)

    def compare(self, label: str) -> None:
        """Reconcile every resource."""
        with clinic_context(label):
            reconcile_all()
        self.sync(label)

    def mirrored_names(self, label: str) -> dict[str, str]:
        with clinic_context(label):
            rows = Patient.objects.filter(archived_at=None, deleted_at=None)
            return {row.cliniko_id: row.payload["first_name"] for row in rows}


@pytest.fixture
def sandbox(tmp_path: Path, settings: Settings, bondi: Clinic, harbour: Clinic) -> Iterator[Sandbox]:
    """Yield a stand-in for Cliniko with an account for each clinic and no patients."""
    app = create_app(tmp_path / "cliniko.sqlite3", requests_per_minute=100_000)
    store = store_of(app)
    store.add_account("bondi", "au1", seed=1)
    store.add_account("harbour", "au2", seed=2)
    with serve(app) as url:
        settings.CLINIKO_REQUESTS_PER_MINUTE = 100_000  # only tests of the rate limit should meet it
        settings.CLINIKO_API_URL = f"{url.rstrip('/')}/api/{{shard}}/v1"
        yield Sandbox(store, url)
