"""`/healthz` and `/readyz` on both hosts."""

from collections.abc import Callable
from threading import Event
from unittest.mock import Mock

import pytest
from celery import current_app
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from kombu import Connection as Broker

from ops.monitoring import views
from tests.sql import executed_queries


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_migrations_complete", Event())


@pytest.mark.parametrize("host", ["localhost", "bondi.localhost"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_healthy_process_is_200(clinic_client: Callable[[str], Client], host: str, path: str) -> None:
    response = Client(HTTP_HOST=host).get(path)
    assert (response.status_code, response.content) == (200, b"ok\n")


@pytest.mark.parametrize("host", ["localhost", "bondi.localhost"])
def test_a_process_with_missing_migrations_is_alive_but_not_ready(
    clinic_client: Callable[[str], Client], host: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM public.django_migrations WHERE app = 'tenants'")
    response = Client(HTTP_HOST=host).get("/readyz")
    assert (response.status_code, response.content) == (503, b"migrations are missing\n")
    assert Client(HTTP_HOST=host).get("/healthz").status_code == 200


def test_a_database_outage_is_503(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "connection", Mock(cursor=Mock(side_effect=OperationalError)))
    response = Client(HTTP_HOST="localhost").get("/readyz")
    assert (response.status_code, response.content) == (503, b"the database isn't responding\n")
    assert Client(HTTP_HOST="localhost").get("/healthz").status_code == 200


def test_a_process_without_a_broker_is_ready(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_app, "connection_for_write", lambda: Broker("redis://127.0.0.1:9/0"))
    assert Client(HTTP_HOST="localhost").get("/readyz").status_code == 200


def test_it_makes_one_query_from_the_second_time_on(db: None) -> None:
    base = Client(HTTP_HOST="localhost")
    base.get("/readyz")
    with CaptureQueriesContext(connection) as captured:
        base.get("/readyz")
    assert len(executed_queries(captured)) == 1
