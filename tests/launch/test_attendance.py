"""The attendance chart."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.test import Client
from django.utils import timezone

from launch.attendance import attendance_of
from sync.read.records import Appointment
from tests.conftest import AddRecord
from tests.payloads import appointment_payload


def rows(page: str) -> list[tuple[str, ...]]:
    """Return the rows of the chart's table."""
    found = re.findall(r'<th scope="row">(.*?)</th><td>(\d+)</td><td>(\d+)</td><td>(\d+)</td>', page)
    return [tuple(row) for row in found]


def book(add_record: AddRecord, number: int, starts_at: str, **fields: Any) -> None:
    add_record("bondi", "individual_appointments", appointment_payload(str(number), "42", starts_at, **fields))


def last_month() -> date:
    today = timezone.localdate()
    return date(today.year - (today.month == 1), (today.month - 2) % 12 + 1, 1)


def test_each_month_counts_visits_cancellations_and_missed_appointments(
    reception: Client, add_record: AddRecord
) -> None:
    month = f"{last_month():%Y-%m}"
    book(add_record, 1, f"{month}-10T02:00:00Z")
    book(add_record, 2, f"{month}-11T02:00:00Z", patient_arrived=True)
    book(add_record, 3, f"{month}-12T02:00:00Z", did_not_arrive=True)
    book(add_record, 4, f"{month}-13T02:00:00Z", cancelled_at=f"{month}-12T00:00:00Z")
    page = reception.get("/patients/42/").content.decode()
    assert rows(page) == [(f"{last_month():%b %Y}", "2", "1", "1")]
    assert "2 visits, 1 cancelled, 1 did not arrive." in page
    assert [page.count(f'<rect class="attendance__{kind}"') for kind in ("visit", "cancelled", "did_not_arrive")] == [
        2,
        2,
        2,
    ]


def test_new_year_in_sydney_is_january_there() -> None:
    starts_at = datetime(2025, 12, 31, 22, 30, tzinfo=UTC)
    appointment = Appointment("9", starts_at, None, "", "", "", "booked", "", "")
    attendance = attendance_of([appointment], date(2026, 3, 1), ZoneInfo("Australia/Sydney"))
    assert attendance is not None
    assert [bar.label for bar in attendance.chart.bars if bar.values["visit"]] == ["Jan 2026"]
    assert len(attendance.chart.bars) == 24


def test_there_is_no_chart_without_appointments_in_two_years(reception: Client, add_record: AddRecord) -> None:
    book(add_record, 1, "2020-01-10T02:00:00Z")
    assert "Attendance" not in reception.get("/patients/42/").content.decode()


def test_appointments_of_another_clinic_do_not_count(
    reception: Client, add_record: AddRecord, force_login: Callable[..., Client]
) -> None:
    book(add_record, 1, f"{last_month():%Y-%m}-10T02:00:00Z")
    assert "Attendance" in reception.get("/patients/42/").content.decode()
    assert "Attendance" not in force_login("harbour").get("/patients/42/").content.decode()
