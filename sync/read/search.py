"""Find patients by what people type: names, a date of birth, part of a phone number or a Cliniko ID, in any order.

Every patient is compared, without a trigram index: payloads are stored out of line, so 50,000 patients take about 20 ms
(bench/launch/search.py), and imports have one index less to write.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date

from django.db.models import F, Q
from django.utils import timezone

from sync import models
from sync.cliniko.payloads import digits, fold
from sync.read.records import PatientSummary, full_name, phones

SUMMARY_COLUMNS = ("cliniko_id", "payload", "date_of_birth", "archived_at")

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = rf"(?P<name>{'|'.join(_MONTHS)})[a-z]*\.?"
_DAY, _YEAR = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?", r"(?P<y>\d{4}|'?\d{2})"
_BOUNDARIES = r"(?<![\w./-])", r"(?![./-]?\w)"  # a longer number with dots or dashes is a phone number
_DATES_OF_BIRTH = [
    re.compile(form.join(_BOUNDARIES), re.IGNORECASE)
    for form in (
        r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})",
        rf"(?P<d>\d{{1,2}})[-/.](?P<m>\d{{1,2}})[-/.]{_YEAR}",
        rf"{_DAY}[-\s]*(?:of\s+)?{_MONTH}[-,\s]*{_YEAR}",
        rf"{_MONTH}\s*{_DAY}[,\s]+{_YEAR}",
    )
]


def search(query: str, limit: int = 20) -> list[PatientSummary]:
    """Return the patients that match all of it, by family name, archived ones last, without deleted and merged ones."""
    conditions = list(_conditions(query))
    if not conditions:
        return []
    rows = models.Patient.objects.filter(*conditions, deleted_at=None, merged_into=None).only(*SUMMARY_COLUMNS)
    order = (F("archived_at").asc(nulls_first=True), "sort_name", "cliniko_id")
    return [summary(row) for row in rows.order_by(*order)[:limit]]


def summary(row: models.Patient) -> PatientSummary:
    """Return the patient for a list; uses SUMMARY_COLUMNS only."""
    numbers = phones(row.payload)
    return PatientSummary(
        cliniko_id=row.cliniko_id,
        name=full_name(row.payload),
        date_of_birth=row.date_of_birth,
        phone=numbers[0].number if numbers else "",
        archived=row.archived_at is not None,
    )


def _conditions(query: str) -> Iterable[Q]:
    days, rest = _dates_of_birth(query)
    if days:
        yield Q(date_of_birth__in=days)
    if rest and not re.search(r"[^\d\s+()./-]", rest) and digits(rest):
        yield _number(digits(rest))
        return
    for word in fold(re.sub(r"[,;]", " ", rest)).split():
        yield Q(search_names__contains=word) | (_number(word) if word.isdecimal() else Q())


def _number(number: str) -> Q:
    """Match a Cliniko ID, or three or more digits of a phone number, with or without the leading 0 of +61."""
    by_id = Q(cliniko_id=number)
    national = number.removeprefix("0")
    return by_id | Q(search_phones__contains=national) if len(national) >= 3 else by_id


def _dates_of_birth(query: str) -> tuple[list[date], str]:
    """Return the days that a date in the query may mean, and the query without the date."""
    for form in _DATES_OF_BIRTH:
        found = form.search(query)
        days = list(_days(found.groupdict())) if found else []
        if found and days:
            return days, query[: found.start()] + query[found.end() :]
    return [], query


def _days(parts: dict[str, str | None]) -> Iterator[date]:
    """Yield the day read as day/month (Australia, Britain, New Zealand), as month/day only if nothing else fits."""
    first, year = int(parts["d"] or 0), (parts["y"] or "").removeprefix("'")
    named = parts.get("name")
    second = _MONTHS.index(named.lower()) + 1 if named else int(parts.get("m") or 0)
    this_year = timezone.localdate().year
    years = [int(year)] if len(year) == 4 else [century + int(year) for century in (1900, 2000)]
    for each in years:
        day, month = (second, first) if second > 12 and not named else (first, second)
        with suppress(ValueError):
            if each <= this_year:
                yield date(each, month, day)
