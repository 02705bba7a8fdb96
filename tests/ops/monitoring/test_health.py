"""`/healthz` and `/readyz`: what they say, on both hosts, and how little they ask."""

from collections.abc import Callable
from unittest.mock import Mock

import pytest
from celery import current_app
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from kombu import Connection as Broker

from ops.monitoring import views
from tests.sql import questions


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_migrations_complete", False)


@pytest.mark.parametrize("host", ["localhost", "bondi.localhost"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_all_is_well(clinic_client: Callable[[str], Client], host: str, path: str) -> None:
    answer = Client(HTTP_HOST=host).get(path)
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.parametrize("host", ["localhost", "bondi.localhost"])
def test_a_process_whose_tables_are_not_there_yet_is_alive_but_not_ready(
    clinic_client: Callable[[str], Client], host: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM public.django_migrations WHERE app = 'tenants'")
    answer = Client(HTTP_HOST=host).get("/readyz")
    assert (answer.status_code, answer.content) == (503, b"migrations are missing\n")
    assert Client(HTTP_HOST=host).get("/healthz").status_code == 200


def test_a_database_that_does_not_answer_is_503(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "connection", Mock(cursor=Mock(side_effect=OperationalError)))
    answer = Client(HTTP_HOST="localhost").get("/readyz")
    assert (answer.status_code, answer.content) == (503, b"the database isn't responding\n")
    assert Client(HTTP_HOST="localhost").get("/healthz").status_code == 200


def test_without_a_broker_pages_work_and_so_it_is_ready(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_app, "connection_for_write", lambda: Broker("redis://127.0.0.1:9/0"))
    assert Client(HTTP_HOST="localhost").get("/readyz").status_code == 200


def test_it_is_one_small_question_from_the_second_time_on(db: None) -> None:
    base = Client(HTTP_HOST="localhost")
    base.get("/readyz")
    with CaptureQueriesContext(connection) as captured:
        base.get("/readyz")
    assert len(questions(captured)) == 1
