"""Translate q[] filters (field, colon, operator, value) into SQL.

Reference: docs.api.cliniko.com, "Filtering results".
"""

import re
from dataclasses import dataclass
from datetime import date

from sandbox.cliniko.clock import parse_time
from sandbox.cliniko.data.resources import Field, Resource
from sandbox.cliniko.errors import BadRequest

FILTER = re.compile(r"([a-z][a-z0-9_]*):(!\?|\?|\*|>=|<=|!=|~~|~|>|<|=)(.*)", re.DOTALL)
PRESENCE = {"?": "{} IS NOT NULL", "!?": "{} IS NULL", "*": "1"}
ORDER = {">=", ">", "<=", "<"}
OPERATORS = {
    "datetime": ORDER,
    "date": ORDER | {"="},
    "integer": ORDER | {"=", "!="},
    "string": {"=", "!=", "~", "~~"},
}
INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
DATE_PATTERN = re.compile(r"[0-9*]{4}-[0-9*]{2}-[0-9*]{2}")
LARGEST = 2**63 - 1  # the largest SQLite integer; no Cliniko ID comes near


@dataclass(frozen=True)
class Condition:
    """One filter as SQL. A filter on `field` replaces the list's default for it."""

    field: str
    sql: str
    values: tuple[str | int, ...] = ()


def parse_filter(text: str, resource: Resource) -> Condition:
    """Parse one q[] value. Raises BadRequest with Cliniko's message."""
    match = FILTER.fullmatch(text)
    if not match:
        raise BadRequest(f"{text[:80]} is not a valid filter")
    name, operator, value = match.groups()
    if name not in resource.fields:
        raise BadRequest(f"{name} is not filterable")
    return _compare(resource.fields[name], operator, value)


def _compare(field: Field, operator: str, value: str) -> Condition:
    if operator in PRESENCE:
        if value:
            raise BadRequest(f"{field.name}: {operator} takes no value")
        return Condition(field.name, PRESENCE[operator].format(field.sql))
    if operator not in OPERATORS[field.kind]:
        raise BadRequest(f"{operator} is not a valid operator for {field.name}")
    return READERS[field.kind](field, operator, value)


def _datetime(field: Field, operator: str, value: str) -> Condition:
    try:
        parse_time(value)
    except ValueError:
        raise BadRequest(f"{field.name}: {value[:80]} is not a valid datetime") from None
    return Condition(field.name, f"{field.sql} {operator} ?", (value,))


def _date(field: Field, operator: str, value: str) -> Condition:
    if operator == "=" and "*" in value and DATE_PATTERN.fullmatch(value):
        return Condition(field.name, f"{field.sql} GLOB ?", (value.replace("*", "?"),))
    try:
        day = date.fromisoformat(value) if DATE_PATTERN.fullmatch(value) else None
    except ValueError:
        day = None
    if day is None:
        raise BadRequest(f"{field.name}: {value[:80]} is not a valid date")
    return Condition(field.name, f"{field.sql} {operator} ?", (value,))


def _integer(field: Field, operator: str, value: str) -> Condition:
    parts = value.split(",")
    if not all(INTEGER.fullmatch(part) for part in parts) or (len(parts) > 1 and operator != "="):
        raise BadRequest(f"{field.name}: {value[:80]} is not a valid integer")
    numbers = tuple(max(-LARGEST, min(LARGEST, int(part))) for part in parts)
    if len(numbers) > 1:
        return Condition(field.name, f"{field.sql} IN ({', '.join('?' * len(numbers))})", numbers)
    return Condition(field.name, f"{field.sql} {operator} ?", numbers)


def _string(field: Field, operator: str, value: str) -> Condition:
    if operator in ("=", "!="):
        return Condition(field.name, f"{field.sql} {operator} ? COLLATE NOCASE", (value,))
    pattern = value.replace("\\", "\\\\").replace("_", "\\_")
    pattern = f"%{pattern}%" if operator == "~" else pattern
    return Condition(field.name, f"{field.sql} LIKE ? ESCAPE '\\'", (pattern,))


READERS = {"datetime": _datetime, "date": _date, "integer": _integer, "string": _string}
