"""The attendance chart: a patient's visits, cancellations and missed appointments by month, over two years."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sync.read.records import Appointment
from tenants.charts import Bar, Chart, draw

MONTHS = 24
_KINDS = {"booked": "visit", "arrived": "visit", "cancelled": "cancelled", "did_not_arrive": "did_not_arrive"}
_LEAST_MOST = 4  # visits in a full bar, at least: a single visit never fills it


@dataclass(frozen=True)
class Attendance:
    """The chart, oldest month first, and totals. A bar's values are counts of visit, cancelled and did_not_arrive."""

    chart: Chart
    visits: int
    cancelled: int
    did_not_arrive: int


def attendance_of(past: Iterable[Appointment], today: date, zone: ZoneInfo) -> Attendance | None:
    """Return the attendance of the months up to `today`, by the clinic's calendar; None without an appointment."""
    counts = Counter(_month_and_kind(appointment, zone) for appointment in past)
    months = [_months_before(today, number) for number in reversed(range(MONTHS))]
    values = [{kind: counts[first, kind] for kind in ("visit", "cancelled", "did_not_arrive")} for first in months]
    most = max(sum(each.values()) for each in values)
    if not most:
        return None
    bars = [Bar(f"{first:%b %Y}", _tick(first), each) for first, each in zip(months, values, strict=True)]
    chart = draw(bars, most=max(_LEAST_MOST, most), top=14, height=72)
    return Attendance(chart, *(sum(each[kind] for each in values) for kind in values[0]))


def _tick(first: date) -> str:
    """Return the label below the bar, one for each half year."""
    return {1: f"{first:%Y}", 7: "Jul"}.get(first.month, "")


def _month_and_kind(appointment: Appointment, zone: ZoneInfo) -> tuple[date, str]:
    local = appointment.starts_at.astimezone(zone)
    return date(local.year, local.month, 1), _KINDS[appointment.status]


def _months_before(today: date, number: int) -> date:
    year, month = divmod(today.year * 12 + today.month - 1 - number, 12)
    return date(year, month + 1, 1)
