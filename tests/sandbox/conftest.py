"""A sandbox with two accounts and a fake clock."""

import shutil
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sandbox.cliniko.app import create_app
from sandbox.cliniko.app_state import rate_limiter_of
from sandbox.cliniko.store import Store

HEADERS = {"User-Agent": "Sidechart (dev@sidechart.example)", "Accept": "application/json"}


class FakeClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Caller:
    """Calls the API of one account with its key."""

    def __init__(self, client: FlaskClient, key: str, shard: str) -> None:
        self.client = client
        self.key = key
        self.base = f"/api/{shard}/v1"

    def get(self, path: str, *, key: str | None = None, **headers: str) -> TestResponse:
        user = self.key if key is None else key
        authorization = {"Authorization": f"Basic {b64encode(f'{user}:'.encode()).decode()}"}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(self.base + path, headers={**HEADERS, **authorization, **given})

    def json(self, path: str) -> dict[str, Any]:
        response = self.get(path)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.get_json()
        return body

    def ids(self, path: str) -> list[str]:
        """Return the ids on one page of a list."""
        resource = path.lstrip("/").split("?")[0].split("/")[0]
        return [each["id"] for each in self.json(path)[resource]]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(scope="session")
def two_accounts(tmp_path_factory):
    """Create a database with both accounts and no patients; tests copy it."""
    path = tmp_path_factory.mktemp("two_accounts") / "cliniko.sqlite3"
    store = Store(path, now=FakeClock())
    store.add_account("bondi", "au1")
    store.add_account("harbour", "au2")
    store.close()
    return path


@pytest.fixture
def store(two_accounts, tmp_path, clock):
    store = Store(shutil.copy(two_accounts, tmp_path), now=clock)
    yield store
    store.close()


@pytest.fixture(scope="session")
def shared_app():
    store = Store()
    yield create_app(store)
    store.close()


@pytest.fixture
def app(shared_app, store):
    """Return the shared application with this test's store: building an application is slower than most tests."""
    shared_app.extensions["cliniko_store"] = store
    rate_limiter_of(shared_app).reset()
    return shared_app


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def bondi(client, store):
    return Caller(client, store.key("bondi"), "au1")


@pytest.fixture
def harbour(client, store):
    return Caller(client, store.key("harbour"), "au2")
