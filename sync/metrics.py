"""What monitoring is told about syncing, by every process that does it."""

from tenants.metrics import Counter, TimestampGauge

REQUESTS = Counter(
    "sidechart_cliniko_requests", "Requests to Cliniko by purpose and status; `none` when there was no answer."
)
RUNS = Counter("sidechart_sync_runs", "Turns of the sync by how they ended.")
LAST_TICK = TimestampGauge("sidechart_last_tick_timestamp_seconds", "When a worker last looked which clinics are due.")

_NAMED = {401, 403, 404, 429}  # each has an answer of its own in the runbooks


def status_class(status: int | None) -> str:
    """`2xx` and the like, but for those that mean something of their own."""
    if status is None:
        return "none"
    return str(status) if status in _NAMED else f"{status // 100}xx"
