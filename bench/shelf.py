"""The patients of the instant API, rendered once and held as bytes; a page is a slice of a sorted list, joined."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from bench.asked import FIELDS, Asked, BadQuestion, Filter

Order = tuple[tuple[str, bool], ...]


@dataclass(slots=True)
class Patient:
    """One patient as bytes of JSON, and the columns that lists are filtered and sorted by."""

    id: int
    created_at: str
    updated_at: str
    archived_at: str
    body: bytes

    def touch(self, now: str) -> None:
        """Edited now: the same bytes but for the time."""
        old, new = (f'"updated_at":"{moment}"'.encode() for moment in (self.updated_at, now))
        self.body = self.body.replace(old, new, 1)
        self.updated_at = now


@dataclass(frozen=True)
class Page:
    bodies: tuple[bytes, ...]
    total: int
    has_more: bool


class Shelf:
    """All patients of one account. Lists that were sorted or filtered once are kept until a record changes."""

    def __init__(self, patients: Iterable[Patient]):
        self._patients = {patient.id: patient for patient in patients}
        self._view = lru_cache(maxsize=32)(self._sorted)

    def __len__(self) -> int:
        return len(self._patients)

    def find(self, id: int) -> Patient | None:
        return self._patients.get(id)

    def page(self, asked: Asked) -> Page:
        """Raises BadQuestion for a filter that patients do not have."""
        for each in asked.filters:
            if each.field not in FIELDS:
                raise BadQuestion(f"{each.field} is not filterable")
        (leading, descending), *_ = asked.order
        bounds = tuple(each for each in asked.filters if each.field == leading and _is_bound(each, descending))
        others = tuple(each for each in asked.filters if each not in bounds and each.operator != "*")
        view = self._view(asked.order, others)
        low, high = _range(view, leading, bounds)
        start = min(low + (asked.page - 1) * asked.per_page, high)
        end = min(start + asked.per_page, high)
        return Page(tuple(each.body for each in view[start:end]), high - low, end < high)

    def touch(self, count: int, now: str) -> None:
        """Edit the so many oldest records now."""
        for patient in list(self._patients.values())[:count]:
            patient.touch(now)
        self._view.cache_clear()

    def _sorted(self, order: Order, filters: tuple[Filter, ...]) -> list[Patient]:
        found = [each for each in self._patients.values() if all(one.takes(each) for one in filters)]
        for field, descending in reversed(order):
            found.sort(key=attrgetter(field), reverse=descending)
        return found


def _is_bound(each: Filter, descending: bool) -> bool:
    """A limit on what the list is sorted by is looked up in it instead of being tried on every record."""
    return not descending and each.operator in (">=", ">", "<=", "<")


def _range(view: list[Patient], field: str, bounds: tuple[Filter, ...]) -> tuple[int, int]:
    low, high = 0, len(view)
    key = attrgetter(field)
    for each in bounds:
        cut = bisect_left if each.operator in (">=", "<") else bisect_right
        place = cut(view, each.values[0], key=key)
        if each.operator in (">=", ">"):
            low = max(low, place)
        else:
            high = min(high, place)
    return low, max(low, high)
