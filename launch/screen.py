"""Prepare a record for the patient screen: next and last appointment, past years, attendance, and a version."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from launch.attendance import Attendance, attendance_of
from sync.read.records import Appointment, PatientRecord

_VISITS = ("booked", "arrived")  # many clinics never mark arrivals, so a past booking counts as a visit


@dataclass(frozen=True)
class Year:
    """One year's past appointments, latest first."""

    number: int
    appointments: tuple[Appointment, ...]

    @property
    def visits(self) -> int:
        return sum(appointment.status in _VISITS for appointment in self.appointments)

    @property
    def cancelled(self) -> int:
        return sum(appointment.status == "cancelled" for appointment in self.appointments)

    @property
    def did_not_arrive(self) -> int:
        return sum(appointment.status == "did_not_arrive" for appointment in self.appointments)


@dataclass(frozen=True)
class Screen:
    """What the template shows besides the record. `today` is the clinic's day, `word` its word for patient."""

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


def build_screen(record: PatientRecord, *, now: datetime) -> Screen:
    facts = record.clinic
    zone = ZoneInfo(facts.time_zone)
    today = now.astimezone(zone).date()
    age = record.age_text(today)
    by_year = groupby(record.past, key=lambda appointment: appointment.starts_at.astimezone(zone).year)
    return Screen(
        record=record,
        word=facts.patient_word,
        today=today,
        age=f"{age} years" if age.isdecimal() else age,
        next=_first_visit(record.upcoming),
        last=_first_visit(record.past),
        years=tuple(Year(number, tuple(appointments)) for number, appointments in by_year),
        attendance=attendance_of(record.past, today, zone),
        cliniko_link=f"{facts.cliniko_url}/patients/{record.cliniko_id}" if facts.cliniko_url else "",
        version=version_of(record),
    )


def version_of(record: PatientRecord) -> str:
    """Return a digest of the record's content, whenever it was checked."""
    # Upcoming appointments become past ones while a page is open; that alone is no change.
    appointments = sorted((*record.upcoming, *record.past), key=lambda appointment: appointment.cliniko_id)
    content = (replace(record, checked_at=None, upcoming=(), past=()), appointments)
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def _first_visit(appointments: Iterable[Appointment]) -> Appointment | None:
    return next((appointment for appointment in appointments if appointment.status in _VISITS), None)
