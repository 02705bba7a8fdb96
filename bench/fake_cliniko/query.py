"""Parse the query of a list request: filters, order, page. Only the part of Cliniko's grammar that importers use.

# Reference: docs.api.cliniko.com, "Filtering results"
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any
from urllib.parse import parse_qs

MAX_PER_PAGE = 100
FIELDS = ("id", "created_at", "updated_at", "archived_at")
FILTER = re.compile(r"([a-z_]+):(!\?|\?|\*|>=|<=|>|<|=)(.*)")
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {">=": ge, ">": gt, "<=": le, "<": lt}

Value = int | str


class BadQuery(Exception):
    """Cliniko refuses this query (400)."""


@dataclass(frozen=True)
class Filter:
    """One `q[]` filter. Values are integers for ids and strings for times, which sort by time."""

    field: str
    operator: str
    values: tuple[Value, ...] = ()

    def matches(self, record: Any) -> bool:
        value = getattr(record, self.field)
        if self.operator == "*":
            return True
        if self.operator in ("?", "!?"):
            return bool(value) == (self.operator == "?")
        if self.operator == "=":
            return value in self.values
        return bool(value) and COMPARISONS[self.operator](value, self.values[0])


@dataclass(frozen=True)
class ListQuery:
    """A list request. `order` is pairs of (field, descending)."""

    filters: tuple[Filter, ...]
    order: tuple[tuple[str, bool], ...]
    page: int
    per_page: int


@lru_cache(maxsize=4096)
def parse_query(query: str) -> ListQuery:
    """Parse a query string. Raises BadQuery."""
    parameters = parse_qs(query)
    filters = [_filter(text) for text in [*parameters.get("q[]", ()), *parameters.get("q", ())]]
    if "archived_at" not in {each.field for each in filters}:
        filters.append(Filter("archived_at", "!?"))  # by default, archived records are not listed
    return ListQuery(
        filters=tuple(filters),
        order=_order(parameters),
        page=_positive(parameters, "page", 1),
        per_page=min(_positive(parameters, "per_page", 50), MAX_PER_PAGE),
    )


def _filter(text: str) -> Filter:
    match = FILTER.fullmatch(text)
    if not match:
        raise BadQuery(f"{text[:80]} is not a valid filter")
    field, operator, value = match.groups()
    if operator in ("*", "?", "!?"):
        return Filter(field, operator)
    return Filter(field, operator, tuple(_value(field, each) for each in value.split(",")))


def _value(field: str, text: str) -> Value:
    if field != "id":
        return text
    if not text.isdecimal():
        raise BadQuery(f"id: {text[:80]} is not a valid integer")
    return int(text)


def _order(parameters: dict[str, list[str]]) -> tuple[tuple[str, bool], ...]:
    """Cliniko promises no order among equals; as in the sandbox, the latest id comes first."""
    fallback = parameters.get("order", ["asc"])[0]
    terms = []
    for term in parameters.get("sort", ["created_at"])[0].split(","):
        field, _, direction = term.strip().partition(":")
        if field not in FIELDS:
            raise BadQuery(f"{field[:80]} is not sortable")
        terms.append((field, (direction or fallback) == "desc"))
    by_id = any(field == "id" for field, _ in terms)
    return tuple(terms if by_id else [*terms, ("id", True)])


def _positive(parameters: dict[str, list[str]], name: str, default: int) -> int:
    text = parameters.get(name, [str(default)])[0]
    if not text.isdecimal() or int(text) < 1:
        raise BadQuery(f"{name} must be a positive integer")
    return int(text)
