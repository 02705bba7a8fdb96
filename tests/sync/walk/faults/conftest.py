"""Fixtures of the fault tests: two small accounts, mirrored in small pages."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Response, request
from pytest_django import Settings

from sandbox.cliniko.app import create_app
from sandbox.cliniko.server import serve
from sandbox.cliniko.store import Store
from sync.cliniko import client
from sync.cliniko.client import Cliniko
from tenants.models import Clinic
from tests.sync.walk.faults.scenario import PER_PAGE, Scenario, add_account_records


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a sandbox with both accounts, to be copied."""
    store = Store(tmp_path_factory.mktemp("faults") / "cliniko.sqlite3")
    for label, shard in (("bondi", "au1"), ("harbour", "au2")):
        store.add_account(label, shard)
        add_account_records(store, label)
    with store.reading() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return store.path


def set_page_size(monkeypatch: pytest.MonkeyPatch, records: int) -> None:
    defaults = Cliniko.list.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "per_page", records)
    monkeypatch.setattr(client, "PER_PAGE", records)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    set_page_size(monkeypatch, PER_PAGE)


@pytest.fixture
def scenario(
    template: Path, tmp_path: Path, settings: Settings, bondi: Clinic, harbour: Clinic, small_pages: None
) -> Iterator[Scenario]:
    """bondi has a key and an empty mirror; harbour is mirrored."""
    store = Store(shutil.copy(template, tmp_path / "cliniko.sqlite3"))
    app = create_app(store, requests_per_minute=100_000)
    on_response: list[Callable[[str], None]] = []

    @app.after_request
    def notify(response: Response) -> Response:
        for callback in on_response:
            callback(request.path.partition("/v1/")[2])
        return response

    with serve(app) as url:
        settings.CLINIKO_REQUESTS_PER_MINUTE = 100_000
        settings.CLINIKO_API_URL = f"{url}/api/{{shard}}/v1"
        scenario = Scenario(store, url, on_response=on_response)
        scenario.fill("harbour")
        for label in ("bondi", "harbour"):
            scenario.store_key(label)
        yield scenario
    store.close()
