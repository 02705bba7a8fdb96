"""Each Cliniko API key's request budget, in public because two clinics can have the same key.

Counts are exact across processes and use the database's clock. They are the times of the latest requests rather than a
counter that resets, so that no 60 seconds ever hold more requests than the limit.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db import connection
from django.utils import timezone

Purpose = Literal["background", "launches"]
WINDOW = timedelta(seconds=60, milliseconds=500)  # Cliniko's minute, and half a second for a request to arrive
BACKGROUND_BATCH = 5  # background work waits for this many free requests, instead of one worker run per request
_TABLE = "public.tenants_keybudget"
_RECENT = "ARRAY(SELECT at FROM unnest({column}) AS at WHERE at > clock_timestamp() - interval '60.5 seconds')"
_BACKGROUND, _LAUNCHES = (f"cardinality({_RECENT.format(column=column)})" for column in ("background", "launches"))
# Background requests leave the reserve to launches, and launches leave `background_minimum` to background requests.
_ALLOWED = {
    "background": f"({_BACKGROUND} + {_LAUNCHES} < %(limit)s - %(reserve)s OR {_BACKGROUND} < %(background_minimum)s)",
    "launches": f"{_LAUNCHES} < %(limit)s - %(background_minimum)s",
}


@dataclass(frozen=True)
class Allowance:
    """`limit` requests per minute in total, of which background work leaves `reserve` to launches."""

    limit: int
    reserve: int

    @property
    def background_minimum(self) -> int:
        """Return how many requests even a flood of launches leaves to background work: a third of the reserve."""
        return self.reserve // 3


def spend(fingerprint: str, purpose: Purpose, allowance: Allowance) -> datetime | None:
    """Take one request from the key's budget. Return None if it can be made, otherwise when to try again."""
    limits = {
        "limit": allowance.limit,
        "reserve": allowance.reserve,
        "background_minimum": allowance.background_minimum,
    }
    with connection.cursor() as cursor:
        cursor.execute(_spend_statement(purpose), {"fingerprint": fingerprint, **limits})
        if cursor.rowcount:
            return None
        cursor.execute(
            f"INSERT INTO {_TABLE} (fingerprint, background, launches, used_at)"  # noqa: S608 - our table
            " VALUES (%s, '{}', '{}', clock_timestamp()) ON CONFLICT DO NOTHING",
            [fingerprint],
        )
        if cursor.rowcount:
            return spend(fingerprint, purpose, allowance)
    return _free_at(fingerprint, purpose, allowance)


def count_recent(fingerprint: str) -> int:
    """Return the number of requests in the last minute."""
    background, launches, _ = _recent(fingerprint)
    return len(background) + len(launches)


def busiest_key() -> tuple[int, int]:
    """Return the last minute's requests of the busiest key, and how many keys Cliniko is blocking."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(max({_BACKGROUND} + {_LAUNCHES}), 0),"  # noqa: S608 - our table
            f" count(*) FILTER (WHERE blocked_until > clock_timestamp()) FROM {_TABLE}"
        )
        most, blocked = cursor.fetchone()
    return int(most), int(blocked)


def block(fingerprint: str, until: datetime) -> None:
    """Stop all requests with this key until then, after a 429 from Cliniko. Never shortens an earlier block."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_TABLE} SET blocked_until = greatest(blocked_until, %s) WHERE fingerprint = %s",  # noqa: S608 - our table
            [until, fingerprint],
        )


def delete_unused() -> None:
    """Delete the budgets of keys that made no request for a day."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {_TABLE} WHERE used_at < clock_timestamp() - interval '1 day'")  # noqa: S608 - our table


def _recent(fingerprint: str) -> tuple[list[datetime], list[datetime], datetime | None]:
    columns = ", ".join(_RECENT.format(column=column) for column in ("background", "launches"))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns}, blocked_until FROM {_TABLE} WHERE fingerprint = %s",  # noqa: S608 - our table
            [fingerprint],
        )
        row: tuple[list[datetime], list[datetime], datetime | None] = cursor.fetchone() or ([], [], None)
        return row


def _free_at(fingerprint: str, purpose: Purpose, allowance: Allowance) -> datetime:
    background, launches, blocked_until = _recent(fingerprint)
    total = sorted((*background, *launches))
    if purpose == "background":
        shared = _when_free(total, allowance.limit - allowance.reserve, BACKGROUND_BATCH)
        free_at = min(shared, _when_free(background, allowance.background_minimum, 1))
    else:
        launch_limit = allowance.limit - allowance.background_minimum
        free_at = max(_when_free(total, allowance.limit, 1), _when_free(launches, launch_limit, 1))
    return max(free_at, blocked_until or free_at)


def _when_free(times: list[datetime], limit: int, wanted: int) -> datetime:
    """Return when `wanted` more requests fit below `limit`: once enough of `times` are older than the window."""
    surplus = min(len(times) - limit + wanted, len(times))
    return times[surplus - 1] + WINDOW if surplus > 0 else timezone.now()


def _spend_statement(purpose: Purpose) -> str:
    """Return an UPDATE that checks and records a request in one statement, so that processes take turns on the row.

    It doesn't wait for the disk: a server crash loses at most a minute of counting.
    """
    times = {column: _RECENT.format(column=column) for column in ("background", "launches")}
    times[purpose] += " || clock_timestamp()"
    total = f"{_BACKGROUND} + {_LAUNCHES} < %(limit)s"
    return (
        "WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS on_commit)"  # noqa: S608 - our table
        f" UPDATE {_TABLE} SET background = {times['background']}, launches = {times['launches']},"
        " used_at = clock_timestamp() FROM quick WHERE quick.on_commit = 'off' AND fingerprint = %(fingerprint)s"
        f" AND coalesce(blocked_until <= clock_timestamp(), true) AND {total} AND {_ALLOWED[purpose]}"
    )
