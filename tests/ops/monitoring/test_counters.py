"""Metrics that web and worker processes count: launches, requests to Cliniko, sync runs, queues, rate limits."""

from collections.abc import Callable
from datetime import timedelta
from unittest.mock import Mock
from uuid import uuid4

import pytest
from celery import current_app
from django.core.signals import request_finished
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from kombu import Connection as Broker
from kombu import Queue
from pytest_django import Settings

from sync import tasks
from sync.metrics import RUNS, status_class
from tenants import metrics
from tenants.models import KeyBudget, MetricSample
from tests.cliniko_sandbox import Sandbox


def scraped() -> dict[str, float]:
    """What `/metrics` says after everybody has written what they gathered."""
    metrics.flush()
    lines = Client(HTTP_HOST="localhost").get("/metrics").content.decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def launches(outcome: str) -> float:
    return scraped().get(f'sidechart_launch_seconds_count{{outcome="{outcome}"}}', 0.0)


def test_each_step_of_a_launch_is_counted_by_outcome(
    sign_in: Callable[..., Client], clinic_client: Callable[[str], Client], add_patient: Callable[..., str]
) -> None:
    add_patient("bondi")
    clinic_client("bondi").get("/patients?patient_id=42")
    signed_in = sign_in("bondi")
    signed_in.get("/patients?patient_id=42", follow=True)
    signed_in.get("/patients?patient_id=no")
    signed_in.get("/patients?patient_id=42", headers={"Sec-Purpose": "prefetch"})
    assert {each: launches(each) for each in ("sign_in", "sent_on", "shown", "explained", "refused", "error")} == {
        "sign_in": 1,
        "sent_on": 1,
        "shown": 1,
        "explained": 1,
        "refused": 1,
        "error": 0,
    }


def test_other_pages_are_not_counted_as_launches(sign_in: Callable[..., Client]) -> None:
    sign_in("bondi").get("/")
    assert not [name for name in scraped() if name.startswith("sidechart_launch_seconds_")]


def test_no_series_names_a_clinic_a_user_or_a_patient(
    sign_in: Callable[..., Client], add_patient: Callable[..., str]
) -> None:
    add_patient("bondi", "424242")
    sign_in("bondi").get("/patients?patient_id=424242", follow=True)
    metrics.flush()
    assert {word for tally in MetricSample.objects.all() for word in tally.labels} == {"outcome", "le"}
    assert "424242" not in "".join(scraped())


def test_a_histogram_counts_every_limit_that_was_kept(db: None) -> None:
    took = metrics.Histogram("sidechart_test_seconds", "Of this test.", (0.1, 1.0))
    try:
        for seconds in (0.05, 0.5, 0.5, 7.0):
            took.observe(seconds, outcome="shown")
        found = {name: value for name, value in scraped().items() if name.startswith("sidechart_test_seconds")}
    finally:
        del metrics.INSTRUMENTS["sidechart_test_seconds"]
    assert found == {
        'sidechart_test_seconds_bucket{le="0.1",outcome="shown"}': 1,
        'sidechart_test_seconds_bucket{le="1",outcome="shown"}': 3,
        'sidechart_test_seconds_bucket{le="+Inf",outcome="shown"}': 4,
        'sidechart_test_seconds_count{outcome="shown"}': 4,
        'sidechart_test_seconds_sum{outcome="shown"}': 8.05,
    }


def test_requests_to_cliniko_and_sync_runs_are_counted(sandbox: Sandbox) -> None:
    sandbox.connect("bondi")
    sandbox.sync("bondi")
    found = scraped()
    assert found['sidechart_cliniko_requests_total{purpose="launches",status="2xx"}'] > 1
    assert found['sidechart_cliniko_requests_total{purpose="background",status="2xx"}'] > 5
    assert found['sidechart_sync_runs_total{result="done"}'] >= 1


@pytest.mark.parametrize(
    ("status", "word"),
    [(200, "2xx"), (301, "3xx"), (401, "401"), (403, "403"), (404, "404"), (422, "4xx"), (429, "429"), (503, "5xx")],
)
def test_statuses_are_grouped(status: int, word: str) -> None:
    assert status_class(status) == word
    assert status_class(None) == "none"


def test_counts_of_several_processes_add_up(db: None) -> None:
    for _ in range(3):
        RUNS.add(result="stopped")
        metrics.flush()
    assert scraped()['sidechart_sync_runs_total{result="stopped"}'] == 3


def test_counts_are_saved_only_when_due(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    RUNS.add(result="stopped")
    metrics.flush_if_due()
    assert not MetricSample.objects.exists()
    monkeypatch.setattr(metrics, "FLUSH_INTERVAL", 0)
    metrics.flush_if_due()
    assert MetricSample.objects.get().value == 1


def test_counts_are_saved_after_the_response() -> None:
    receivers = [each[1]() for each in request_finished.receivers]
    assert metrics.flush_if_due in receivers


def test_counts_are_kept_while_the_database_is_down(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    RUNS.add(result="done")
    with monkeypatch.context() as outage:
        outage.setattr(metrics, "connection", Mock(cursor=Mock(side_effect=OperationalError)))
        metrics.flush()
    assert scraped()['sidechart_sync_runs_total{result="done"}'] == 1


def test_a_tick_sets_its_timestamp(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.sync_clinic, "apply_async", lambda **_: None)
    before = timezone.now().timestamp()
    tasks.tick()
    assert scraped()["sidechart_last_tick_timestamp_seconds"] >= before - 1


def test_queues_have_their_number_of_messages(db: None, settings: Settings) -> None:
    waits, empty = f"waits-{uuid4()}", f"empty-{uuid4()}"  # which no worker of another test takes from
    settings.CELERY_TASK_QUEUES = [Queue(waits), Queue(empty)]
    with current_app.connection_for_write() as broker, broker.SimpleQueue(waits) as line:
        for _ in range(3):
            line.put({"any": "message"})
        found = scraped()
        line.clear()
    assert found["sidechart_broker_up"] == 1
    assert found[f'sidechart_queue_messages{{queue="{waits}"}}'] == 3
    assert found[f'sidechart_queue_messages{{queue="{empty}"}}'] == 0


@pytest.mark.parametrize("address", ["redis://127.0.0.1:9/0", "amqp://guest@127.0.0.1:9//"])
def test_a_broker_outage_hides_no_other_metric(db: None, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(current_app, "connection_for_read", lambda: Broker(address))
    found = scraped()
    assert found["sidechart_broker_up"] == 0
    assert "sidechart_clinics_overdue" in found


def test_the_busiest_keys_remaining_requests_are_reported(db: None, settings: Settings) -> None:
    now = timezone.now()
    KeyBudget.objects.create(fingerprint="a" * 32, background=[now] * 30, launches=[now] * 5)
    KeyBudget.objects.create(fingerprint="b" * 32, background=[now - timedelta(minutes=5)] * 190)
    KeyBudget.objects.create(fingerprint="c" * 32, blocked_until=now + timedelta(minutes=1))
    found = scraped()
    assert found["sidechart_cliniko_requests_left"] == settings.CLINIKO_REQUESTS_PER_MINUTE - 35
    assert found["sidechart_cliniko_keys_blocked"] == 1


def test_measuring_a_launch_makes_no_queries(
    sign_in: Callable[..., Client], add_patient: Callable[..., str], settings: Settings
) -> None:
    add_patient("bondi")
    browser = sign_in("bondi")
    browser.get("/patients/42/")
    asked: dict[bool, int] = {}
    for measured in (True, False):
        if not measured:
            settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Measured" not in name]
            browser.handler.load_middleware()
        connection.force_debug_cursor = True
        connection.queries_log.clear()
        browser.get("/patients/42/")
        asked[measured] = len(connection.queries_log)
        connection.force_debug_cursor = False
    assert asked[True] == asked[False] > 0
