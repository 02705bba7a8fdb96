"""What monitoring reads: how the clinics' mirrors stand, from public alone. No patient, no staff, no key."""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tenants.models import Clinic

OVERDUE = timedelta(minutes=2)


class Clinics(Collector):
    """Reads the rows at each scrape, so that every process answers alike."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        working = Clinic.objects.working()
        now = timezone.now()
        states = GaugeMetricFamily(
            "sidechart_clinics", "Working clinics by the state of their mirror.", labels=["sync_state"]
        )
        for state, count in working.values_list("sync_state").annotate(Count("id")).order_by("sync_state"):
            states.add_metric([state], count)
        yield states
        lag = GaugeMetricFamily(
            "sidechart_sync_lag_seconds", "Age of what a clinic's mirror holds of its patients.", labels=["clinic"]
        )
        for label, checked_at in working.exclude(checked_at=None).values_list("label", "checked_at").order_by("label"):
            lag.add_metric([label], (now - checked_at).total_seconds())
        yield lag
        broken = working.exclude(audit_broken_at=None).count()
        yield GaugeMetricFamily(
            "sidechart_audit_chain_broken", "Clinics whose access log is not as it was written.", broken
        )
        overdue = working.filter(sync_due_at__lt=now - OVERDUE).count()
        yield GaugeMetricFamily("sidechart_clinics_overdue", "Clinics that no worker has taken in time.", overdue)


REGISTRY = CollectorRegistry(auto_describe=False)
REGISTRY.register(Clinics())
