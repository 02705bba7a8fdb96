"""Finding patients by what people type: words of names, a birth date, part of a phone number, an id, in any order.

Every patient is looked at, without an index of letters: since payloads lie aside, 50,000 of them take about 20 ms
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

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = rf"(?P<name>{'|'.join(_MONTHS)})[a-z]*\.?"
_DAY, _YEAR = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?", r"(?P<y>\d{4}|'?\d{2})"
_ALONE = r"(?<![\w./-])", r"(?![./-]?\w)"  # a longer number with dots or dashes is a phone's
_BIRTH_DATES = [
    re.compile(form.join(_ALONE), re.IGNORECASE)
    for form in (
        r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})",
        rf"(?P<d>\d{{1,2}})[-/.](?P<m>\d{{1,2}})[-/.]{_YEAR}",
        rf"{_DAY}[-\s]*(?:of\s+)?{_MONTH}[-,\s]*{_YEAR}",
        rf"{_MONTH}\s*{_DAY}[,\s]+{_YEAR}",
    )
]


def search(wanted: str, limit: int = 20) -> list[PatientSummary]:
    """Those that match all of it: the archived last, otherwise by family name. Never the deleted and the merged."""
    conditions = list(_conditions(wanted))
    if not conditions:
        return []
    rows = models.Patient.objects.filter(*conditions, deleted_at=None, merged_into=None)
    order = (F("archived_at").asc(nulls_first=True), "sort_name", "cliniko_id")
    return [summary(row) for row in rows.order_by(*order)[:limit]]


def summary(row: models.Patient) -> PatientSummary:
    """One line of a list."""
    numbers = phones(row.payload)
    return PatientSummary(
        cliniko_id=row.cliniko_id,
        name=full_name(row.payload),
        date_of_birth=row.date_of_birth,
        phone=numbers[0].number if numbers else "",
        archived=row.archived_at is not None,
    )


def _conditions(wanted: str) -> Iterable[Q]:
    born, rest = _birth_dates(wanted)
    if born:
        yield Q(date_of_birth__in=born)
    if rest and not re.search(r"[^\d\s+()./-]", rest) and digits(rest):
        yield _number(digits(rest))
        return
    for word in fold(re.sub(r"[,;]", " ", rest)).split():
        yield Q(search_names__contains=word) | (_number(word) if word.isdecimal() else Q())


def _number(typed: str) -> Q:
    """A phone number is found by any three of its digits on, with or without the leading 0 that +61 replaces."""
    by_id = Q(cliniko_id=typed)
    national = typed.removeprefix("0")
    return by_id | Q(search_phones__contains=national) if len(national) >= 3 else by_id


def _birth_dates(wanted: str) -> tuple[list[date], str]:
    """The days that a date in the text may mean, and the text without it."""
    for form in _BIRTH_DATES:
        found = form.search(wanted)
        days = list(_days(found.groupdict())) if found else []
        if found and days:
            return days, wanted[: found.start()] + wanted[found.end() :]
    return [], wanted


def _days(parts: dict[str, str | None]) -> Iterator[date]:
    """Day before month as in Australia, Britain and New Zealand; month before day where nothing else is a date."""
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
