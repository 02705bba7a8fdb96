"""A picture of attendance: what became of a patient's appointments, month by month over two years."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sync.read.records import Appointment

MONTHS = 24
COLUMN, GAP, TOP, HEIGHT = 15, 3, 14, 72  # of the drawing, which scales
_KINDS = {"booked": "visit", "arrived": "visit", "cancelled": "cancelled", "did_not_arrive": "missed"}
_FEWEST = 4  # a month's bar is never taller than one visit in this many


@dataclass(frozen=True)
class Block:
    """A part of a month's bar; `kind` is visit, cancelled or missed."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Month:
    """One month's counts, and where they are drawn."""

    first: date
    x: int
    visits: int
    cancelled: int
    missed: int
    blocks: tuple[Block, ...]

    @property
    def label(self) -> str:
        """Below the bar, for each half year."""
        return {1: f"{self.first:%Y}", 7: "Jul"}.get(self.first.month, "")


@dataclass(frozen=True)
class Attendance:
    """Two years of months, oldest first, and the most that one of them holds."""

    months: tuple[Month, ...]
    most: int
    width: int = MONTHS * COLUMN
    bar: int = COLUMN - GAP
    top: int = TOP
    floor: int = TOP + HEIGHT

    @property
    def visits(self) -> int:
        return sum(month.visits for month in self.months)

    @property
    def cancelled(self) -> int:
        return sum(month.cancelled for month in self.months)

    @property
    def missed(self) -> int:
        return sum(month.missed for month in self.months)


def attendance_of(past: Iterable[Appointment], today: date, zone: ZoneInfo) -> Attendance | None:
    """The picture of the months up to `today`, by the clinic's calendar; None when they hold no appointment."""
    counts = Counter(_month_and_kind(appointment, zone) for appointment in past)
    months = [_months_before(today, number) for number in reversed(range(MONTHS))]
    totals = [sum(counts[first, kind] for kind in ("visit", "cancelled", "missed")) for first in months]
    if not any(totals):
        return None
    scale = HEIGHT / max(_FEWEST, *totals)
    drawn = (_month(first, place, counts, scale) for place, first in enumerate(months))
    return Attendance(tuple(drawn), most=max(_FEWEST, *totals))


def _month(first: date, place: int, counts: Counter[tuple[date, str]], scale: float) -> Month:
    found = {kind: counts[first, kind] for kind in ("visit", "cancelled", "missed")}
    blocks, y = [], float(TOP + HEIGHT)
    for kind, count in found.items():
        if count:
            y -= count * scale
            blocks.append(Block(kind, round(y, 1), round(count * scale, 1)))
    x = place * COLUMN + GAP // 2
    return Month(first, x, found["visit"], found["cancelled"], found["missed"], tuple(blocks))


def _month_and_kind(appointment: Appointment, zone: ZoneInfo) -> tuple[date, str]:
    local = appointment.starts_at.astimezone(zone)
    return date(local.year, local.month, 1), _KINDS[appointment.status]


def _months_before(today: date, number: int) -> date:
    year, month = divmod(today.year * 12 + today.month - 1 - number, 12)
    return date(year, month + 1, 1)
