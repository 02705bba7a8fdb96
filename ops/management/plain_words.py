"""A report as lines for people: one for each fact, whatever JSON nests in another."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any


def lines(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and value; a table inside the report gets a line for each of its entries."""
    for name, value in report.items():
        if isinstance(value, dict) and value:
            yield from ((f"{_spaced(name)}: {_spaced(inner)}", words(held)) for inner, held in value.items())
        else:
            yield _spaced(name), words(value)


def words(value: object) -> str:
    """`-` for nothing, times to the minute, the entries of a table in one line."""
    if isinstance(value, dict):
        return ", ".join(_entry(*each) for each in value.items() if each[1] not in (None, "", {})) or "-"
    if isinstance(value, list):
        return ", ".join(map(words, value)) or "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else str(value)


def _entry(name: str, value: object) -> str:
    return f"{_spaced(name)} ({words(value)})" if isinstance(value, dict) else f"{_spaced(name)} {words(value)}"


def _spaced(name: str) -> str:
    return name.replace("_", " ")
