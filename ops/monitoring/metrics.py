"""What monitoring reads, from public and the broker: how clinics and the work for them stand. No patient, no key."""

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
    """Reads the rows at each scrape, so that every process answers alike."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        working = Clinic.objects.working()
        now = timezone.now()
        yield _by("sync_state", "sidechart_clinics", "Clinics by their own state and that of their mirror.")
        yield _by("key_state", "sidechart_clinic_keys", "Clinics by their own state and that of their Cliniko key.")
        lag = GaugeMetricFamily(
            "sidechart_sync_lag_seconds", "Age of what a clinic's mirror holds of its patients.", labels=["clinic"]
        )
        kept_fresh = working.exclude(checked_at=None).exclude(sync_state="paused")  # which somebody there asked for
        for label, checked_at in kept_fresh.values_list("label", "checked_at").order_by("label"):
            lag.add_metric([label], (now - checked_at).total_seconds())
        yield lag
        broken = Clinic.objects.exclude(state=Clinic.State.PURGED).exclude(audit_broken_at=None).count()
        yield GaugeMetricFamily(
            "sidechart_audit_chain_broken", "Clinics whose access log is not as it was written.", broken
        )
        overdue = working.filter(sync_due_at__lt=now - OVERDUE).count()
        yield GaugeMetricFamily("sidechart_clinics_overdue", "Clinics that no worker has taken in time.", overdue)


def _by(second: str, name: str, help: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help, labels=["state", second])
    there = Clinic.objects.exclude(state=Clinic.State.PURGED)
    for state, other, count in there.values_list("state", second).annotate(Count("id")).order_by():
        family.add_metric([state, other], count)
    return family


class Budgets(Collector):
    """A key is known here by a digest alone, and so are its clinics: `clinic show` says it of one clinic."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        spent, blocked = rate_limits.busiest()
        yield GaugeMetricFamily(
            "sidechart_cliniko_requests_left",
            "What the busiest Cliniko key may still ask in this minute.",
            max(0, settings.CLINIKO_REQUESTS_PER_MINUTE - spent),
        )
        yield GaugeMetricFamily("sidechart_cliniko_keys_blocked", "Keys that Cliniko answered 429 to.", blocked)


class Queues(Collector):
    """How many messages wait in the broker, Redis or RabbitMQ; only whether it answers when it does not."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            depths = broker.depths()
        except OperationalError:
            depths = {}
        yield GaugeMetricFamily("sidechart_broker_up", "Whether the broker answers.", int(bool(depths)))
        waiting = GaugeMetricFamily("sidechart_queue_messages", "Messages that no worker has taken.", labels=["queue"])
        for queue, depth in depths.items():
            waiting.add_metric([queue], depth)
        yield waiting


class Tallies(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from metrics.collect()


class Health(Collector):
    """How long the database takes to answer, and what time it is there."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        began = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            (size,) = cursor.fetchone()
        yield GaugeMetricFamily(
            "sidechart_database_answer_seconds", "How long the database took.", time.perf_counter() - began
        )
        yield GaugeMetricFamily("sidechart_database_bytes", "Size of the database.", size)


REGISTRY = CollectorRegistry(auto_describe=False)
for collector in (Clinics, Budgets, Queues, Tallies, Health):
    REGISTRY.register(collector())
