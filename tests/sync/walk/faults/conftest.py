"""The cast of the fault table, mirrored in small pages."""

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
from tests.sync.walk.faults.scenario import PER_PAGE, Cast, furnish


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with both accounts, to be copied."""
    store = Store(tmp_path_factory.mktemp("faults") / "cliniko.sqlite3")
    for label, shard in (("bondi", "au1"), ("harbour", "au2")):
        store.add_account(label, shard)
        furnish(store, label)
    with store.reading() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return store.path


def set_per_page(monkeypatch: pytest.MonkeyPatch, records: int) -> None:
    defaults = Cliniko.list.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "per_page", records)
    monkeypatch.setattr(client, "PER_PAGE", records)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    set_per_page(monkeypatch, PER_PAGE)


@pytest.fixture
def cast(
    furnished: Path, tmp_path: Path, settings: Settings, bondi: Clinic, harbour: Clinic, small_pages: None
) -> Iterator[Cast]:
    """bondi with a key and nothing mirrored yet, harbour mirrored."""
    store = Store(shutil.copy(furnished, tmp_path / "cliniko.sqlite3"))
    app = create_app(store, requests_per_minute=100_000)
    after_answer: list[Callable[[str], None]] = []

    @app.after_request
    def tell(response: Response) -> Response:
        for meanwhile in after_answer:
            meanwhile(request.path.partition("/v1/")[2])
        return response

    with serve(app) as url:
        settings.CLINIKO_REQUESTS_PER_MINUTE = 100_000
        settings.CLINIKO_API_URL = f"{url}/api/{{shard}}/v1"
        cast = Cast(store, url, after_answer=after_answer)
        cast.fill("harbour")
        for label in ("bondi", "harbour"):
            cast.hold_key(label)
        yield cast
    store.close()
