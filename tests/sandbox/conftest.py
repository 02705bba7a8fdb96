"""Two clinics in the cast, a clock that stands still until it is told to move, and a caller who knows the manners."""

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

MANNERS = {"User-Agent": "Sidechart (dev@sidechart.example)", "Accept": "application/json"}


class StandingClock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def pass_by(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class Caller:
    """Asks the API of one account with its key."""

    def __init__(self, client: FlaskClient, key: str, shard: str) -> None:
        self.client = client
        self.key = key
        self.base = f"/api/{shard}/v1"

    def get(self, path: str, *, key: str | None = None, **headers: str) -> TestResponse:
        user = self.key if key is None else key
        signed = {"Authorization": f"Basic {b64encode(f'{user}:'.encode()).decode()}"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(self.base + path, headers={**MANNERS, **signed, **named})

    def json(self, path: str) -> dict[str, Any]:
        response = self.get(path)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.get_json()
        return body

    def ids(self, path: str) -> list[str]:
        """The ids on one page of a list."""
        resource = path.lstrip("/").split("?")[0].split("/")[0]
        return [each["id"] for each in self.json(path)[resource]]


@pytest.fixture
def clock():
    return StandingClock()


@pytest.fixture(scope="session")
def two_clinics(tmp_path_factory):
    """A database with both accounts and no patients, to be copied."""
    path = tmp_path_factory.mktemp("two_clinics") / "cliniko.sqlite3"
    store = Store(path, now=StandingClock())
    store.add_account("bondi", "au1")
    store.add_account("harbour", "au2")
    store.close()
    return path


@pytest.fixture
def store(two_clinics, tmp_path, clock):
    store = Store(shutil.copy(two_clinics, tmp_path), now=clock)
    yield store
    store.close()


@pytest.fixture(scope="session")
def shared_app():
    return create_app(":memory:")


@pytest.fixture
def app(shared_app, store):
    """One application serves every test, each with a store of its own: building it costs more than most tests."""
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
