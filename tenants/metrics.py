"""Counters and histograms that all processes share, stored in public.

Each process collects its numbers in memory and adds them to the table at most every ten seconds: the web after sending
a response, a worker after a task. A killed process loses what it hasn't written.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace

import structlog
from django.db import DatabaseError, connection
from prometheus_client import Metric

from tenants.models import MetricSample

FLUSH_INTERVAL = 10.0  # seconds
INSTRUMENTS: dict[str, "Instrument"] = {}
log = structlog.get_logger(__name__)

_Series = tuple[str, str]  # name, labels as JSON
_pending: dict[_Series, float] = {}
_lock = threading.Lock()
_last_flush = SimpleNamespace(at=time.monotonic())


class Instrument:
    """A metric. Labels are a few fixed words and never name a clinic, person or patient."""

    kind = "counter"

    def __init__(self, name: str, help_text: str):
        self.name, self.help_text = name, help_text
        INSTRUMENTS[name] = self

    def samples(self, stored: list[MetricSample]) -> Iterator[tuple[str, Mapping[str, str], float]]:
        """Yield the name, labels and value of each sample for Prometheus."""
        for sample in stored:
            yield sample.name, sample.labels, sample.value


class Counter(Instrument):
    def add(self, amount: float = 1, **labels: str) -> None:
        _add({(f"{self.name}_total", _as_json(labels)): amount})


class Histogram(Instrument):
    """Durations. `buckets` are upper limits in seconds."""

    kind = "histogram"

    def __init__(self, name: str, help_text: str, buckets: tuple[float, ...]):
        super().__init__(name, help_text)
        self.buckets = (*buckets, float("inf"))

    def observe(self, seconds: float, **labels: str) -> None:
        reached = [limit for limit in self.buckets if seconds <= limit]
        counts = {(f"{self.name}_bucket", _as_json(labels | {"le": _le(limit)})): 1.0 for limit in reached}
        _add(counts | {(f"{self.name}_count", _as_json(labels)): 1, (f"{self.name}_sum", _as_json(labels)): seconds})

    def samples(self, stored: list[MetricSample]) -> Iterator[tuple[str, Mapping[str, str], float]]:
        """Yield empty buckets too: Prometheus needs them to compute quantiles."""
        counts = {_as_json(sample.labels): sample.value for sample in stored if sample.name.endswith("_bucket")}
        for sample in stored:
            if sample.name.endswith("_count"):
                for limit in self.buckets:
                    labels = sample.labels | {"le": _le(limit)}
                    yield f"{self.name}_bucket", labels, counts.get(_as_json(labels), 0.0)
            if not sample.name.endswith("_bucket"):
                yield sample.name, sample.labels, sample.value


class TimestampGauge(Instrument):
    """When something last happened, by the database's clock. Written immediately."""

    kind = "gauge"

    def set_to_current_time(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO public.tenants_metricsample (name, labels, value)"
                " VALUES (%s, '{}', extract(epoch FROM clock_timestamp()))"
                " ON CONFLICT (name, labels) DO UPDATE SET value = excluded.value",
                [self.name],
            )


def collect() -> Iterator[Metric]:
    """Yield all metrics of all processes. Must run in public."""
    stored = list(MetricSample.objects.order_by("pk"))
    for instrument in INSTRUMENTS.values():
        family = Metric(instrument.name, instrument.help_text, instrument.kind)
        names = {instrument.name + ending for ending in ("", "_total", "_bucket", "_count", "_sum")}
        for name, labels, value in instrument.samples([sample for sample in stored if sample.name in names]):
            family.add_sample(name, dict(labels), value)
        yield family


def flush_if_due(**_: object) -> None:
    """Flush if the last flush was FLUSH_INTERVAL ago."""
    with _lock:
        if time.monotonic() - _last_flush.at < FLUSH_INTERVAL:
            return
        _last_flush.at = time.monotonic()
    flush()


def flush(**_: object) -> None:
    """Add the collected numbers to the table in one statement. If the database fails, keep them for the next flush."""
    with _lock:
        counts = sorted(_pending.items())  # all processes lock rows in the same order, so they can't deadlock
        _pending.clear()
    if not counts:
        return
    values = [value for (name, labels), amount in counts for value in (name, labels, amount)]
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO public.tenants_metricsample AS stored (name, labels, value)"  # noqa: S608 - placeholders only
                f" VALUES {', '.join(['(%s, %s::jsonb, %s)'] * len(counts))}"
                " ON CONFLICT (name, labels) DO UPDATE SET value = stored.value + excluded.value",
                values,
            )
    except DatabaseError as error:
        _add(dict(counts))
        log.warning("metrics_flush_failed", exc_info=error)


def _add(counts: Mapping[_Series, float]) -> None:
    with _lock:
        for series, amount in counts.items():
            _pending[series] = _pending.get(series, 0.0) + amount


def _as_json(labels: Mapping[str, str]) -> str:
    return json.dumps(labels, sort_keys=True)


def _le(seconds: float) -> str:
    return "+Inf" if seconds == float("inf") else f"{seconds:g}"
