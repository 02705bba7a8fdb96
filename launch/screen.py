"""The patient screen's picture of a record: what is next, what was last, the years, and whether anything changed."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from launch.attendance import Attendance, attendance_of
from sync.read.records import Appointment, PatientRecord

_TOOK_PLACE = ("booked", "arrived")  # many clinics never mark arrivals, so a past booking counts as a visit


@dataclass(frozen=True)
class Year:
    """One year's past appointments, latest first, and what became of them."""

    number: int
    appointments: tuple[Appointment, ...]

    @property
    def visits(self) -> int:
        return sum(appointment.status in _TOOK_PLACE for appointment in self.appointments)

    @property
    def cancelled(self) -> int:
        return sum(appointment.status == "cancelled" for appointment in self.appointments)

    @property
    def missed(self) -> int:
        return sum(appointment.status == "did_not_arrive" for appointment in self.appointments)


@dataclass(frozen=True)
class Screen:
    """What the template shows; times are in the clinic's time zone, `word` is its word for patient."""

    record: PatientRecord
    word: str
    today: date
    age: str
    next: Appointment | None
    last: Appointment | None
    years: tuple[Year, ...]
    attendance: Attendance | None
    cliniko_link: str
    version: str


def screen_of(record: PatientRecord, *, now: datetime) -> Screen:
    """The screen for this record at this moment."""
    facts = record.clinic
    zone = ZoneInfo(facts.time_zone)
    today = now.astimezone(zone).date()
    return Screen(
        record=record,
        word=facts.patient_word,
        today=today,
        age=age_in_words(record.age_text(today)),
        next=_first(record.upcoming),
        last=_first(record.past),
        years=_by_year(record.past, zone),
        attendance=attendance_of(record.past, today, zone),
        cliniko_link=f"{facts.cliniko_url}/patients/{record.cliniko_id}" if facts.cliniko_url else "",
        version=version_of(record),
    )


def age_in_words(age: str) -> str:
    """`34` is `34 years`; an age that names its unit stays."""
    return f"{age} years" if age.isdecimal() else age


def version_of(record: PatientRecord) -> str:
    """The same text for the same record, whenever it was checked."""
    # Coming appointments slip into the past while a page is open; that alone is no change.
    appointments = sorted((*record.upcoming, *record.past), key=lambda appointment: appointment.cliniko_id)
    content = (replace(record, checked_at=None, upcoming=(), past=()), appointments)
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def _first(appointments: Iterable[Appointment]) -> Appointment | None:
    return next((appointment for appointment in appointments if appointment.status in _TOOK_PLACE), None)


def _by_year(past: Iterable[Appointment], zone: ZoneInfo) -> tuple[Year, ...]:
    by_year = groupby(past, key=lambda appointment: appointment.starts_at.astimezone(zone).year)
    return tuple(Year(number, tuple(appointments)) for number, appointments in by_year)
