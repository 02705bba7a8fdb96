"""Dates and times are written one way."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.template import engines
from django.utils import timezone

from tenants import dates

NOON = datetime(2026, 12, 7, 7, 51, tzinfo=UTC)  # a Monday; 6:51 pm in Sydney


@pytest.fixture(autouse=True)
def sydney(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(timezone, "now", lambda: NOON)
    with timezone.override("Australia/Sydney"):
        yield


def test_a_time_has_twelve_hours() -> None:
    assert [dates.as_time(NOON + timedelta(hours=hours)) for hours in (0, 6, 18)] == ["6:51 pm", "12:51 am", "12:51 pm"]


def test_a_date_names_the_year_unless_it_is_this_year() -> None:
    assert dates.as_date(NOON) == dates.as_date(date(2026, 12, 7)) == "Mon 7 Dec"
    assert dates.as_date(date(2027, 1, 1)) == "Fri 1 Jan 2027"
    assert dates.as_datetime(NOON) == "Mon 7 Dec, 6:51 pm"
    assert dates.as_date(None) == dates.as_datetime(None) == dates.birth_date(None) == ""


def test_a_moment_today_is_a_time_and_any_other_a_date() -> None:
    yesterday = NOON - timedelta(days=1)
    assert [dates.as_time_or_date(moment) for moment in (NOON, yesterday)] == ["6:51 pm", "Sun 6 Dec"]
    assert [dates.at(moment, "Pacific/Auckland") for moment in (NOON, yesterday)] == [
        "at 8:51 pm",
        "on Sun 6 Dec at 8:51 pm",
    ]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "just now"),
        (8, "just now"),
        (30, "30 seconds ago"),
        (61, "a minute ago"),
        (3 * 60 + 5, "3 minutes ago"),
        (3601, "an hour ago"),
        (5 * 3600 + 1, "5 hours ago"),
    ],
)
def test_how_long_ago(monkeypatch: pytest.MonkeyPatch, seconds: int, expected: str) -> None:
    monkeypatch.undo()  # naturaltime reads the real clock
    assert dates.ago(timezone.now() - timedelta(seconds=seconds)) == expected


def test_a_day_ago_is_a_date() -> None:
    assert dates.ago(NOON - timedelta(days=1)) == "on Sun 6 Dec, 6:51 pm"


def test_command_output_names_the_time_zone() -> None:
    assert dates.in_zone(NOON, UTC) == "Mon 7 Dec, 7:51 am UTC"


def test_templates_need_no_load_tag() -> None:
    template = engines["django"].from_string("{{ now|as_datetime }}, born {{ born|birth_date }}")
    assert template.render({"now": NOON, "born": date(1990, 4, 17)}) == "Mon 7 Dec, 6:51 pm, born 17 Apr 1990"
