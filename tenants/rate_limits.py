"""How many requests a Cliniko key may still make, counted in public: two clinics may have the same key.

The count is exact across processes and by the database's clock: the times of the latest requests, not a counter that
is reset, so that in no sixty seconds, wherever they begin, more are made than allowed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db import connection
from django.utils import timezone

Purpose = Literal["background", "launches"]
WINDOW = timedelta(
    seconds=60, milliseconds=500
)  # half a second more than the minute, for what a request takes to arrive
BACKGROUND_BATCH = 5  # who waits, waits for so many: not one turn of a worker for each single request
_TABLE = "public.tenants_keybudget"
_RECENT = "ARRAY(SELECT at FROM unnest({column}) AS at WHERE at > clock_timestamp() - interval '60.5 seconds')"
_BACKGROUND, _LAUNCHES = (f"cardinality({_RECENT.format(column=column)})" for column in ("background", "launches"))
# A background request leaves the reserve to launches, and launches leave some to the background.
_MAY = {
    "background": f"({_BACKGROUND} + {_LAUNCHES} < %(limit)s - %(reserve)s OR {_BACKGROUND} < %(least)s)",
    "launches": f"{_LAUNCHES} < %(limit)s - %(least)s",
}


@dataclass(frozen=True)
class Allowance:
    """`limit` requests a minute in all, of which background work leaves `reserve` alone."""

    limit: int
    reserve: int

    @property
    def least(self) -> int:
        """What a flood of launches leaves to background work: a third of the reserve."""
        return self.reserve // 3


def spend(fingerprint: str, purpose: Purpose, allowance: Allowance) -> datetime | None:
    """Take one request off the budget. None when it may be made; otherwise when to try again."""
    numbers = {"limit": allowance.limit, "reserve": allowance.reserve, "least": allowance.least}
    with connection.cursor() as cursor:
        cursor.execute(_take(purpose), {"fingerprint": fingerprint, **numbers})
        if cursor.rowcount:
            return None
        cursor.execute(
            f"INSERT INTO {_TABLE} (fingerprint, background, launches, used_at)"  # noqa: S608 - our own table
            " VALUES (%s, '{}', '{}', clock_timestamp()) ON CONFLICT DO NOTHING",
            [fingerprint],
        )
        if cursor.rowcount:
            return spend(fingerprint, purpose, allowance)
    return _free_at(fingerprint, purpose, allowance)


def spent(fingerprint: str) -> int:
    """Requests of the last minute."""
    background, launches, _ = _recent(fingerprint)
    return len(background) + len(launches)


def busiest() -> tuple[int, int]:
    """Requests of the last minute with the key that made most, and how many keys Cliniko refuses right now."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(max({_BACKGROUND} + {_LAUNCHES}), 0),"  # noqa: S608 - our own table
            f" count(*) FILTER (WHERE blocked_until > clock_timestamp()) FROM {_TABLE}"
        )
        most, blocked = cursor.fetchone()
    return int(most), int(blocked)


def block(fingerprint: str, until: datetime) -> None:
    """Cliniko has refused a request of this key: none is made before `until`, by whichever clinic."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_TABLE} SET blocked_until = greatest(blocked_until, %s) WHERE fingerprint = %s",  # noqa: S608 - our own table
            [until, fingerprint],
        )


def delete_unused() -> None:
    """Delete the counts of keys that asked nothing for a day."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {_TABLE} WHERE used_at < clock_timestamp() - interval '1 day'")  # noqa: S608 - our own table


def _recent(fingerprint: str) -> tuple[list[datetime], list[datetime], datetime | None]:
    columns = ", ".join(_RECENT.format(column=column) for column in ("background", "launches"))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns}, blocked_until FROM {_TABLE} WHERE fingerprint = %(fingerprint)s",  # noqa: S608 - our own table
            {"fingerprint": fingerprint},
        )
        found: tuple[list[datetime], list[datetime], datetime | None] = cursor.fetchone() or ([], [], None)
        return found


def _free_at(fingerprint: str, purpose: Purpose, allowance: Allowance) -> datetime:
    background, launches, blocked_until = _recent(fingerprint)
    total = sorted((*background, *launches))
    if purpose == "background":
        shared = _when(total, allowance.limit - allowance.reserve, BACKGROUND_BATCH)
        free_at = min(shared, _when(background, allowance.least, 1))
    else:
        free_at = max(_when(total, allowance.limit, 1), _when(launches, allowance.limit - allowance.least, 1))
    return max(free_at, blocked_until or free_at)


def _when(times: list[datetime], most: int, wanted: int) -> datetime:
    """When `wanted` more fit below `most`: as soon as enough of those in `times` are a window old."""
    surplus = min(len(times) - most + wanted, len(times))
    return times[surplus - 1] + WINDOW if surplus > 0 else timezone.now()


def _take(purpose: Purpose) -> str:
    """One statement: other processes wait for its row, and see what it did. Not worth a wait for the disk: what a
    crash of the server forgets is one minute of counting."""
    kept = {column: _RECENT.format(column=column) for column in ("background", "launches")}
    kept[purpose] += " || clock_timestamp()"
    total = f"{_BACKGROUND} + {_LAUNCHES} < %(limit)s"
    return (
        "WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS on_commit)"  # noqa: S608
        f" UPDATE {_TABLE} SET background = {kept['background']}, launches = {kept['launches']},"
        " used_at = clock_timestamp() FROM quick WHERE quick.on_commit = 'off' AND fingerprint = %(fingerprint)s"
        f" AND coalesce(blocked_until <= clock_timestamp(), true) AND {total} AND {_MAY[purpose]}"
    )
