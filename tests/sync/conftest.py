"""Fixtures of the sync's tests: connected clinics, replaced answers, and the state machine's stage."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from sandbox.cliniko.app import create_app
from sync.cliniko.client import Cliniko, Page
from sync.walk import reconcile
from tenants.models import Clinic
from tests.cliniko_sandbox import Sandbox
from tests.sync.in_process import API_URL, InProcess, prefetch_inline
from tests.sync.walk.state_machine import Clock, Stage


@pytest.fixture
def connected(sandbox: Sandbox) -> Callable[[str], Sandbox]:
    """`connected("bondi")`: the sandbox with that clinic's key stored."""

    def connect_clinic(label: str) -> Sandbox:
        sandbox.connect(label)
        return sandbox

    return connect_clinic


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], Any]], None]:
    """`answering("medical_alerts", fail)`: requests for lists of this resource return or raise what `fail` does."""
    real: Callable[..., Page] = Cliniko.list

    def replace(resource: str, answer: Callable[[], Any]) -> None:
        def list_or_answer(self: Cliniko, name: str, **query: Any) -> Page:
            page: Page = answer() if name == resource else real(self, name, **query)
            return page

        monkeypatch.setattr(Cliniko, "list", list_or_answer)

    return replace


@pytest.fixture
def stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings, bondi: Clinic, harbour: Clinic
) -> Iterator[Stage]:
    """The state machine's environment: no sockets, few records, and pages of three."""
    clock = Clock()
    app = create_app(tmp_path / "template.sqlite3", requests_per_minute=1_000_000, now=clock)
    transport = InProcess(app)
    monkeypatch.setattr("requests.Session.get_adapter", lambda *_, **__: transport)
    monkeypatch.setattr("sync.cliniko.client.PER_PAGE", 3)
    monkeypatch.setattr(Cliniko, "prefetch", prefetch_inline)
    monkeypatch.setattr(reconcile, "MAX_REREADS", 2)
    monkeypatch.setattr(timezone, "now", clock)
    settings.CLINIKO_API_URL = API_URL
    settings.CLINIKO_REQUESTS_PER_MINUTE = 1_000_000
    stage = Stage(app, clock, tmp_path)
    stage.build()
    yield stage
    stage.store.close()
