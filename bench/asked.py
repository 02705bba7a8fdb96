"""What a list request asks for: filters, order, page. The part of Cliniko's grammar that importers use.

# Reference: docs.api.cliniko.com, "Filtering results"
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any
from urllib.parse import parse_qs

MOST_PER_PAGE = 100
FIELDS = ("id", "created_at", "updated_at", "archived_at")
FILTER = re.compile(r"([a-z_]+):(!\?|\?|\*|>=|<=|>|<|=)(.*)")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {">=": ge, ">": gt, "<=": le, "<": lt}

Value = int | str


class BadQuestion(Exception):
    """The request makes no sense to Cliniko (400)."""


@dataclass(frozen=True)
class Filter:
    """One `q[]`. Values are integers for ids and text for moments, which sort alike."""

    field: str
    operator: str
    values: tuple[Value, ...] = ()

    def takes(self, record: Any) -> bool:
        held = getattr(record, self.field)
        if self.operator == "*":
            return True
        if self.operator in ("?", "!?"):
            return bool(held) == (self.operator == "?")
        if self.operator == "=":
            return held in self.values
        return bool(held) and COMPARE[self.operator](held, self.values[0])


@dataclass(frozen=True)
class Asked:
    """A list request. `order` holds (field, descending)."""

    filters: tuple[Filter, ...]
    order: tuple[tuple[str, bool], ...]
    page: int
    per_page: int


@lru_cache(maxsize=4096)
def read_question(query: str) -> Asked:
    """Read a query string. Raises BadQuestion."""
    given = parse_qs(query)
    filters = [_filter(text) for text in [*given.get("q[]", ()), *given.get("q", ())]]
    if "archived_at" not in {each.field for each in filters}:
        filters.append(Filter("archived_at", "!?"))  # archived records stay out unless asked for
    return Asked(
        filters=tuple(filters),
        order=_order(given),
        page=_positive(given, "page", 1),
        per_page=min(_positive(given, "per_page", 50), MOST_PER_PAGE),
    )


def _filter(text: str) -> Filter:
    match = FILTER.fullmatch(text)
    if not match:
        raise BadQuestion(f"{text[:80]} is not a valid filter")
    field, operator, value = match.groups()
    if operator in ("*", "?", "!?"):
        return Filter(field, operator)
    return Filter(field, operator, tuple(_value(field, each) for each in value.split(",")))


def _value(field: str, text: str) -> Value:
    if field != "id":
        return text
    if not text.isdecimal():
        raise BadQuestion(f"id: {text[:80]} is not a valid integer")
    return int(text)


def _order(given: dict[str, list[str]]) -> tuple[tuple[str, bool], ...]:
    """Cliniko promises no order among equals; here the latest id comes first, as in the sandbox."""
    fallback = given.get("order", ["asc"])[0]
    terms = []
    for term in given.get("sort", ["created_at"])[0].split(","):
        field, _, direction = term.strip().partition(":")
        if field not in FIELDS:
            raise BadQuestion(f"{field[:80]} is not sortable")
        terms.append((field, (direction or fallback) == "desc"))
    by_id = any(field == "id" for field, _ in terms)
    return tuple(terms if by_id else [*terms, ("id", True)])


def _positive(given: dict[str, list[str]], name: str, default: int) -> int:
    text = given.get(name, [str(default)])[0]
    if not text.isdecimal() or int(text) < 1:
        raise BadQuestion(f"{name} must be a positive integer")
    return int(text)
