"""Template filters for names, dates and times."""

from datetime import date

from flask import Flask

from sandbox.cliniko.api.serializers import full_name
from sandbox.cliniko.clock import parse_time
from sandbox.cliniko.seed.account_settings import zone_for_label


def register(app: Flask) -> None:
    app.jinja_env.filters.update(full_name=full_name, day=day, local=local)


def day(text: str | None) -> str:
    """Format a date as 21 August 1963."""
    if not text:
        return ""
    when = date.fromisoformat(text)
    return f"{when.day} {when:%B %Y}"


def local(timestamp: str | None, zone: str) -> str:
    """Format a timestamp as Tue 24 Nov 2026, 9:15 am, in the clinic's time zone."""
    if not timestamp:
        return ""
    when = parse_time(timestamp).astimezone(zone_for_label(zone))
    return f"{when:%a} {when.day} {when:%b %Y}, {when.hour % 12 or 12}:{when:%M} {'am' if when.hour < 12 else 'pm'}"


def age(born: str | None, today: date) -> int | None:
    if not born:
        return None
    birthday = date.fromisoformat(born)
    return today.year - birthday.year - ((today.month, today.day) < (birthday.month, birthday.day))
