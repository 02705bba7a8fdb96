"""Timestamps as Cliniko writes them: UTC, to the second."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def format_time(time: datetime) -> str:
    """Format a time as the API does: 2013-03-26T14:00:00Z."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """Parse an API timestamp. Raises ValueError for any other format."""
    if len(text) != len("2013-03-26T14:00:00Z"):
        raise ValueError(text)
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
