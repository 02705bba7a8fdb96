"""How dates and times are written on pages, in emails and in command output: "6:51 pm", "Mon 7 Dec".

Every function uses the active time zone unless it takes one. CSV and JSON use ISO 8601 instead.
"""

from datetime import date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils import timezone


def as_time(moment: datetime) -> str:
    """Return `6:51 pm`."""
    return _time(timezone.localtime(moment))


def as_date(value: datetime | date | None) -> str:
    """Return `Mon 7 Dec`, with the year unless it's this year; "" for None."""
    if value is None:
        return ""
    return _date(timezone.localtime(value).date() if isinstance(value, datetime) else value, timezone.localdate())


def as_datetime(moment: datetime | None) -> str:
    """Return `Mon 7 Dec, 6:51 pm`; "" for None."""
    return f"{as_date(moment)}, {as_time(moment)}" if moment else ""


def as_time_or_date(moment: datetime) -> str:
    """Return `6:51 pm` for a moment today, `Mon 7 Dec` otherwise."""
    return as_time(moment) if timezone.localtime(moment).date() == timezone.localdate() else as_date(moment)


def at(moment: datetime, zone: str) -> str:
    """Return `at 6:51 pm` for a moment today, `on Mon 7 Dec at 6:51 pm` otherwise, by the clock of `zone`."""
    local, today = moment.astimezone(ZoneInfo(zone)), timezone.now().astimezone(ZoneInfo(zone)).date()
    return f"at {_time(local)}" if local.date() == today else f"on {_date(local.date(), today)} at {_time(local)}"


def ago(moment: datetime) -> str:
    """Return `just now`, `3 minutes ago`, `2 hours ago`, and the date and time after a day. sidechart.js matches it."""
    age = timezone.now() - moment
    if age < timedelta(seconds=10):
        return "just now"
    return naturaltime(moment).replace("\xa0", " ") if age < timedelta(days=1) else f"on {as_datetime(moment)}"


def birth_date(value: date | None) -> str:
    """Return `17 Apr 1990`, always with the year and without a weekday; "" for None."""
    return f"{value.day} {value:%b %Y}" if value else ""


def in_zone(moment: datetime, zone: tzinfo) -> str:
    """Return `Mon 7 Dec, 6:51 pm UTC` for command output, whose reader doesn't know the active time zone."""
    local = moment.astimezone(zone)
    return f"{_date(local.date(), timezone.now().astimezone(zone).date())}, {_time(local)} {local:%Z}"


def _time(local: datetime) -> str:
    return f"{local.hour % 12 or 12}:{local:%M} {'am' if local.hour < 12 else 'pm'}"


def _date(value: date, today: date) -> str:
    return f"{value:%a} {value.day} {value:%b}" + ("" if value.year == today.year else f" {value.year}")
