"""The fake API's patients, serialized once; a page joins a slice of a sorted list."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from bench.fake_cliniko.query import FIELDS, BadQuery, Filter, ListQuery

Order = tuple[tuple[str, bool], ...]


@dataclass(slots=True)
class Patient:
    """A patient as JSON bytes, with the columns for filters and sorting."""

    id: int
    created_at: str
    updated_at: str
    archived_at: str
    body: bytes

    def touch(self, now: str) -> None:
        """Set updated_at, in the JSON too."""
        old, new = (f'"updated_at":"{time}"'.encode() for time in (self.updated_at, now))
        self.body = self.body.replace(old, new, 1)
        self.updated_at = now


@dataclass(frozen=True)
class Page:
    bodies: tuple[bytes, ...]
    total: int
    has_more: bool


class PatientList:
    """All patients of an account. Sorted and filtered lists are cached until a record changes."""

    def __init__(self, patients: Iterable[Patient]):
        self._patients = {patient.id: patient for patient in patients}
        self._view = lru_cache(maxsize=32)(self._sorted)

    def find(self, id: int) -> Patient | None:
        return self._patients.get(id)

    def page(self, query: ListQuery) -> Page:
        """Return a page. Raises BadQuery for a filter that patients don't have."""
        for each in query.filters:
            if each.field not in FIELDS:
                raise BadQuery(f"{each.field} is not filterable")
        (leading, descending), *_ = query.order
        bounds = tuple(each for each in query.filters if each.field == leading and _is_bound(each, descending))
        others = tuple(each for each in query.filters if each not in bounds and each.operator != "*")
        view = self._view(query.order, others)
        low, high = _range(view, leading, bounds)
        start = min(low + (query.page - 1) * query.per_page, high)
        end = min(start + query.per_page, high)
        return Page(tuple(each.body for each in view[start:end]), high - low, end < high)

    def touch(self, count: int, now: str) -> None:
        """Edit the `count` oldest records."""
        for patient in list(self._patients.values())[:count]:
            patient.touch(now)
        self._view.cache_clear()

    def _sorted(self, order: Order, filters: tuple[Filter, ...]) -> list[Patient]:
        found = [each for each in self._patients.values() if all(one.matches(each) for one in filters)]
        for field, descending in reversed(order):
            found.sort(key=attrgetter(field), reverse=descending)
        return found


def _is_bound(each: Filter, descending: bool) -> bool:
    """Return True for a bound on the sort field, which bisect finds in the sorted list."""
    return not descending and each.operator in (">=", ">", "<=", "<")


def _range(view: list[Patient], field: str, bounds: tuple[Filter, ...]) -> tuple[int, int]:
    low, high = 0, len(view)
    key = attrgetter(field)
    for each in bounds:
        bisect = bisect_left if each.operator in (">=", "<") else bisect_right
        position = bisect(view, each.values[0], key=key)
        if each.operator in (">=", ">"):
            low = max(low, position)
        else:
            high = min(high, position)
    return low, max(low, high)
