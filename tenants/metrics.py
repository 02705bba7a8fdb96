"""Numbers for monitoring that all processes add to: gathered in memory, added up on public.

Nobody waits for it: a request's numbers are written after its answer has been sent, a task's after the task, and at
most every ten seconds. What a killed process has gathered and not written is lost.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping

import structlog
from django.db import DatabaseError, connection
from prometheus_client import Metric

from tenants.models import MetricSample

FLUSH_INTERVAL = 10.0  # seconds
INSTRUMENTS: dict[str, "Instrument"] = {}
log = structlog.get_logger(__name__)

_Series = tuple[str, str]  # a name, and labels as JSON
_pending: dict[_Series, float] = {}
_lock = threading.Lock()
_written_at = time.monotonic()


class Instrument:
    """Something that is counted. Labels are few words of ours: no clinic, no person, no patient."""

    kind = "counter"

    def __init__(self, name: str, text: str):
        self.name, self.text = name, text
        INSTRUMENTS[name] = self

    def samples(self, held: list[MetricSample]) -> Iterator[tuple[str, Mapping[str, str], float]]:
        """What there is of it, as Prometheus reads it."""
        for each in held:
            yield each.name, each.labels, each.value


class Counter(Instrument):
    """How often something has happened."""

    def add(self, amount: float = 1, **labels: str) -> None:
        _add({(f"{self.name}_total", _text(labels)): amount})


class Histogram(Instrument):
    """How long something takes. `limits` are in seconds."""

    kind = "histogram"

    def __init__(self, name: str, text: str, limits: tuple[float, ...]):
        super().__init__(name, text)
        self.limits = (*limits, float("inf"))

    def observe(self, seconds: float, **labels: str) -> None:
        reached = [limit for limit in self.limits if seconds <= limit]
        counts = {(f"{self.name}_bucket", _text(labels | {"le": _limit(limit)})): 1.0 for limit in reached}
        _add(counts | {(f"{self.name}_count", _text(labels)): 1, (f"{self.name}_sum", _text(labels)): seconds})

    def samples(self, held: list[MetricSample]) -> Iterator[tuple[str, Mapping[str, str], float]]:
        """The limits that nothing has kept, too: without them no share can be computed."""
        reached = {_text(each.labels): each.value for each in held if each.name.endswith("_bucket")}
        for each in held:
            if each.name.endswith("_count"):
                for limit in self.limits:
                    labels = each.labels | {"le": _limit(limit)}
                    yield f"{self.name}_bucket", labels, reached.get(_text(labels), 0.0)
            if not each.name.endswith("_bucket"):
                yield each.name, each.labels, each.value


class TimestampGauge(Instrument):
    """When something last happened, by the database's clock; written at once. The caller stands in public."""

    kind = "gauge"

    def is_now(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO public.tenants_metricsample (name, labels, value)"
                " VALUES (%s, '{}', extract(epoch FROM clock_timestamp()))"
                " ON CONFLICT (name, labels) DO UPDATE SET value = excluded.value",
                [self.name],
            )


def collect() -> Iterator[Metric]:
    """Everything that was ever counted, of every process. The caller stands in public."""
    held = list(MetricSample.objects.order_by("pk"))
    for instrument in INSTRUMENTS.values():
        family = Metric(instrument.name, instrument.text, instrument.kind)
        endings = {instrument.name + ending for ending in ("", "_total", "_bucket", "_count", "_sum")}
        for name, labels, value in instrument.samples([each for each in held if each.name in endings]):
            family.add_sample(name, dict(labels), value)
        yield family


def flush_when_due(**_: object) -> None:
    """Write what was gathered when that is ten seconds ago. The database not answering, the numbers wait."""
    global _written_at
    with _lock:
        if time.monotonic() - _written_at < FLUSH_INTERVAL:
            return
        _written_at = time.monotonic()
    flush()


def flush() -> None:
    """Add what was gathered to the table, in one statement."""
    with _lock:
        taken = sorted(_pending.items())  # one order in all processes: two of them never wait for each other
        _pending.clear()
    if not taken:
        return
    rows = [value for (name, labels), amount in taken for value in (name, labels, amount)]
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO public.tenants_metricsample AS held (name, labels, value)"  # noqa: S608 - places alone
                f" VALUES {', '.join(['(%s, %s::jsonb, %s)'] * len(taken))}"
                " ON CONFLICT (name, labels) DO UPDATE SET value = held.value + excluded.value",
                rows,
            )
    except DatabaseError as failure:
        _add(dict(taken))
        log.warning("tallies_not_written", exc_info=failure)


def _add(counts: Mapping[_Series, float]) -> None:
    with _lock:
        for series, amount in counts.items():
            _pending[series] = _pending.get(series, 0.0) + amount


def _text(labels: Mapping[str, str]) -> str:
    return json.dumps(labels, sort_keys=True)


def _limit(seconds: float) -> str:
    return "+Inf" if seconds == float("inf") else f"{seconds:g}"
