"""Read values out of mirrored rows and payloads. Nothing here raises: a page must show every record that was stored."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

# Every time zone can show the times between these.
EARLIEST, LATEST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)


def text(payload: Mapping[str, object], field: str) -> str:
    """Return the field as text, "" unless it holds text or a number."""
    value = payload.get(field)
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) else ""


def items(payload: object, field: str) -> list[dict[str, Any]]:
    """Return the objects in a list field, [] unless it holds a list."""
    value = payload.get(field) if isinstance(payload, dict) else None
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def day(value: object) -> date | None:
    """Return an ISO 8601 date, or None."""
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None


def timestamp(value: object) -> datetime | None:
    """Return an ISO 8601 time with a time zone, limited to EARLIEST and LATEST, or None."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return min(max(found, EARLIEST), LATEST) if found.tzinfo else None


def stored_timestamp(value: str) -> datetime:
    """Return a `timestamptz` column from PostgreSQL's JSON, which may lie in the year 1 BC or 10000."""
    return timestamp(value) or (EARLIEST if value.endswith("BC") else LATEST)
