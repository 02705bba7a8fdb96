"""Prometheus collectors for the public schema and the broker. No patient data and no API keys."""

import time
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Count
from django.utils import timezone
from kombu.exceptions import OperationalError
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ops.monitoring import broker
from ops.recovery import backups  # noqa: F401 - registers its gauge
from sync import metrics as sync_metrics  # noqa: F401 - registers its counters
from tenants import metrics, rate_limits
from tenants.models import Clinic

OVERDUE = timedelta(minutes=2)


class Clinics(Collector):
    """Read from the database at each scrape, so every process gives the same values."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        working = Clinic.objects.working()
        now = timezone.now()
        yield _count_by("sync_state", "sidechart_clinics", "Clinics by state and sync state.")
        yield _count_by("key_state", "sidechart_clinic_keys", "Clinics by state and Cliniko API key state.")
        lag = GaugeMetricFamily(
            "sidechart_sync_lag_seconds", "Seconds since a clinic's patients were last synced.", labels=["clinic"]
        )
        synced = working.exclude(checked_at=None).exclude(sync_state="paused")  # a pause is deliberate
        for label, checked_at in synced.values_list("label", "checked_at").order_by("label"):
            lag.add_metric([label], (now - checked_at).total_seconds())
        yield lag
        broken = Clinic.objects.exclude(state=Clinic.State.PURGED).exclude(audit_broken_at=None).count()
        yield GaugeMetricFamily("sidechart_audit_chain_broken", "Clinics whose access log was tampered with.", broken)
        overdue = working.filter(sync_due_at__lt=now - OVERDUE).count()
        yield GaugeMetricFamily("sidechart_clinics_overdue", "Clinics due for sync for more than two minutes.", overdue)


def _count_by(second: str, name: str, help: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help, labels=["state", second])
    existing = Clinic.objects.exclude(state=Clinic.State.PURGED)
    for state, other, count in existing.values_list("state", second).annotate(Count("id")).order_by():
        family.add_metric([state, other], count)
    return family


class RateLimits(Collector):
    """Only the busiest key's value: public has digests of keys, not their clinics. `clinic show` has it per clinic."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        spent, blocked = rate_limits.busiest_key()
        yield GaugeMetricFamily(
            "sidechart_cliniko_requests_left",
            "Requests the busiest Cliniko API key has left this minute.",
            max(0, settings.CLINIKO_REQUESTS_PER_MINUTE - spent),
        )
        yield GaugeMetricFamily(
            "sidechart_cliniko_keys_blocked", "API keys that wait after a 429 from Cliniko.", blocked
        )


class Queues(Collector):
    """Waiting messages by queue, and only `sidechart_broker_up` 0 if the broker is down."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            depths = broker.queue_depths()
        except OperationalError:
            depths = {}
        yield GaugeMetricFamily("sidechart_broker_up", "1 if the broker responds, else 0.", int(bool(depths)))
        waiting = GaugeMetricFamily("sidechart_queue_messages", "Messages waiting for a worker.", labels=["queue"])
        for queue, depth in depths.items():
            waiting.add_metric([queue], depth)
        yield waiting


class Samples(Collector):
    """Counters and histograms that all processes save to the database."""

    def collect(self) -> Iterator[Metric]:
        yield from metrics.collect()


class Database(Collector):
    """The database's response time and size."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        began = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            (size,) = cursor.fetchone()
        yield GaugeMetricFamily(
            "sidechart_database_answer_seconds", "Duration of one database query.", time.perf_counter() - began
        )
        yield GaugeMetricFamily("sidechart_database_bytes", "Size of the database.", size)


REGISTRY = CollectorRegistry(auto_describe=False)
for collector in (Clinics, RateLimits, Queues, Samples, Database):
    REGISTRY.register(collector())
