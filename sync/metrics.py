"""Counters and gauges of the sync, written by every process that syncs."""

from tenants.metrics import Counter, TimestampGauge

REQUESTS = Counter("sidechart_cliniko_requests", "Requests to Cliniko by purpose and status (`none`: no response).")
RUNS = Counter("sidechart_sync_runs", "Sync runs by result.")
LAST_TICK = TimestampGauge("sidechart_last_tick_timestamp_seconds", "When a worker last checked which clinics are due.")

_OWN_LABEL = {401, 403, 404, 429}  # the runbooks treat each of these separately


def status_class(status: int | None) -> str:
    """Return the metric's status label: `2xx` and so on, `401`, `403`, `404`, `429`, or `none`."""
    if status is None:
        return "none"
    return str(status) if status in _OWN_LABEL else f"{status // 100}xx"
