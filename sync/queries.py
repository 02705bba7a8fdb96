"""The read door for pages: one call, one answer, nothing of Cliniko's client or the engine."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from sync import connection, models
from sync.payloads import digits, fold, text
from sync.records import (
    Alert,
    Appointment,
    Change,
    PatientRecord,
    PatientSummary,
    Status,
    full_name,
    phones,
    told_by,
)

STALE_AFTER = timedelta(minutes=10)  # ten ticks missed
_BOOKINGS = (
    ("individual_appointments", "Appointments"),
    ("group_appointments", "Classes"),
    ("attendees", "Classes"),
)
_BIRTH_DATES = (
    re.compile(r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"),
    re.compile(r"(?P<d>\d{1,2})[-/.](?P<m>\d{1,2})[-/.](?P<y>\d{4})"),
)


@dataclass(frozen=True)
class ClinicFacts:
    """What the clinic's Cliniko account says of itself."""

    time_zone: str
    patient_word: str
    cliniko_url: str


def patient(cliniko_id: str) -> PatientRecord | None:
    """The patient of this id with alerts and appointments, archived, merged and deleted ones too; None if not here."""
    row = models.Patient.objects.filter(cliniko_id=cliniko_id).first()
    if row is None:
        return None
    checks = {cursor.resource: cursor for cursor in models.Cursor.objects.all()}
    ids = [cliniko_id, *_merged_into(cliniko_id)]
    coming, past = _appointments(ids)
    zone = connection.load().time_zone
    return PatientRecord(
        cliniko_id=row.cliniko_id,
        date_of_birth=row.date_of_birth,
        updated_at=row.updated_at,
        archived_at=row.archived_at,
        deleted_at=row.deleted_at,
        merged_into=row.merged_into,
        checked_at=_checked_at(row, checks.get("patients")),
        alerts=_alerts(ids),
        coming=coming,
        past=past,
        alerts_note=_note(row, "medical_alerts", "Alerts", checks, zone),
        appointments_note=next(filter(None, (_note(row, *of, checks, zone) for of in _BOOKINGS)), ""),
        **told_by(row.payload),
    )


def changes(cliniko_id: str, *, since: datetime) -> tuple[Change, ...]:
    """What Cliniko changed in the patient's record after `since`, a row a field, latest first: from what it was then
    to what it is now. A field that is as it was is no change."""
    rows = models.PatientChange.objects.filter(patient_id=cliniko_id, changed_at__gt=since).order_by("changed_at", "pk")
    found: dict[str, Change] = {}
    for row in rows:
        first = found.pop(row.field, None)
        found[row.field] = Change(row.field, first.before if first else row.before, row.after, row.changed_at)
    return tuple(change for change in reversed(found.values()) if change.before != change.after)


def search(wanted: str, limit: int = 20) -> list[PatientSummary]:
    """Patients by words of their names in any order, by birth date, part of a phone number, or Cliniko id."""
    rows = models.Patient.objects.filter(deleted_at=None, merged_into=None)
    for condition in _conditions(wanted):
        rows = rows.filter(condition)
    if not fold(wanted):
        rows = rows.none()
    return [
        _summary(row)
        for row in rows.order_by(F("archived_at").asc(nulls_first=True), "sort_name", "cliniko_id")[:limit]
    ]


def summaries(cliniko_ids: Iterable[str]) -> dict[str, PatientSummary]:
    """Those of the patients that are here, by id."""
    rows = models.Patient.objects.filter(cliniko_id__in=list(cliniko_ids), deleted_at=None)
    return {row.cliniko_id: _summary(row) for row in rows}


def facts() -> ClinicFacts:
    held = connection.load()
    place = settings.CLINIKO_WEB_URL.replace("{subdomain}", held.account_subdomain).replace("{shard}", held.shard)
    return ClinicFacts(held.time_zone, held.patient_word, cliniko_url=place if held.account_subdomain else "")


def account_since() -> datetime | None:
    """Since when ids are those of the Cliniko account that is mirrored now; None when there was no other."""
    return connection.load().account_since


def _conditions(wanted: str) -> Iterable[Q]:
    birth_date, rest = _birth_date(wanted)
    if birth_date:
        yield Q(date_of_birth=birth_date)
    if rest and not re.search(r"[^\d\s+()./-]", rest) and digits(rest):
        yield _number(digits(rest))
        return
    for word in fold(rest).split():
        yield Q(search_names__contains=word) | (_number(word) if word.isdecimal() else Q())


def _number(typed: str) -> Q:
    """A phone number is found by any three of its digits on, with or without the leading 0 that +61 replaces."""
    by_id = Q(cliniko_id=typed)
    national = typed.removeprefix("0")
    return by_id | Q(search_phones__contains=national) if len(national) >= 3 else by_id


def _birth_date(wanted: str) -> tuple[date | None, str]:
    """A birth date in the text, day before month as in Australia, Britain and New Zealand, and the text without it."""
    for pattern in _BIRTH_DATES:
        found = pattern.search(wanted)
        if found:
            try:
                born = date(*(int(found[part]) for part in "ymd"))
            except ValueError:
                continue
            return born, wanted[: found.start()] + wanted[found.end() :]
    return None, wanted


def _summary(row: models.Patient) -> PatientSummary:
    numbers = phones(row.payload)
    return PatientSummary(
        cliniko_id=row.cliniko_id,
        name=full_name(row.payload),
        date_of_birth=row.date_of_birth,
        phone=numbers[0].number if numbers else "",
        archived=row.archived_at is not None,
    )


def _checked_at(row: models.Patient, cursor: models.Cursor | None) -> datetime | None:
    """When this record was last known to be what Cliniko holds."""
    refreshed = models.PatientRefresh.objects.filter(cliniko_id=row.cliniko_id).values_list("checked_at", flat=True)
    times = [*refreshed, cursor.checked_at if cursor else None]
    return max((time for time in times if time), default=row.first_seen_at)


def _note(row: models.Patient, resource: str, what: str, checks: dict[str, models.Cursor], zone: str) -> str:
    """Why a list may lack something, though the patient was checked just now: lists and single reads fail apart."""
    cursor = checks.get(resource)
    if cursor is not None and cursor.refused_at:
        return f"{what} cannot be shown: the Cliniko user who made the API key may not read them. Look in Cliniko."
    if models.RefusedPayload.objects.filter(resource=resource, patient_id=row.cliniko_id).exists():
        return f"Not all {what.lower()} could be read. Look in Cliniko."
    if cursor is None or cursor.checked_at is None or cursor.checked_at < row.first_seen_at:
        return f"{what} are still being copied from Cliniko. Until then, look in Cliniko."
    if timezone.now() - cursor.checked_at > STALE_AFTER:
        since = timezone.localtime(cursor.checked_at, ZoneInfo(zone)).strftime("%-d %b %Y, %H:%M")
        return f"{what} were last copied from Cliniko on {since}. Newer ones may be missing: look in Cliniko."
    return ""


def _merged_into(survivor: str) -> list[str]:
    """Who was merged into this patient: what hangs on them is the survivor's, whether it was moved yet or not."""
    losers: list[str] = []
    found = [survivor]
    while found:
        rows = models.Patient.objects.filter(merged_into__in=found).exclude(cliniko_id__in=[survivor, *losers])
        found = list(rows.values_list("cliniko_id", flat=True))
        losers += found
    return losers


def _alerts(patient_ids: list[str]) -> tuple[Alert, ...]:
    rows = models.MedicalAlert.objects.filter(patient_id__in=patient_ids, archived_at=None, deleted_at=None)
    return tuple(Alert(row.cliniko_id, row.name) for row in rows.order_by("cliniko_id"))


def _appointments(patient_ids: list[str]) -> tuple[tuple[Appointment, ...], tuple[Appointment, ...]]:
    """Coming ones, soonest first, and past ones, latest first; places in classes among them."""
    found = [*_individual(patient_ids), *_in_classes(patient_ids)]
    names = _Names.of(found)
    told = [names.tell(booking) for booking in sorted(found, key=lambda each: (each.row.starts_at, each.cliniko_id))]
    now = timezone.now()
    coming = tuple(appointment for appointment in told if (appointment.ends_at or appointment.starts_at) >= now)
    past = tuple(appointment for appointment in reversed(told) if (appointment.ends_at or appointment.starts_at) < now)
    return coming, past


@dataclass(frozen=True)
class _Booked:
    """A patient's appointment, or the class that they have a place in: `row` says when and where, `payload` and
    `status` speak of the patient."""

    cliniko_id: str
    row: models.Appointment | models.GroupAppointment
    payload: dict[str, Any]
    status: Status


def _individual(patient_ids: list[str]) -> list[_Booked]:
    rows = models.Appointment.objects.filter(patient_id__in=patient_ids, archived_at=None, deleted_at=None)
    return [
        _Booked(row.cliniko_id, row, row.payload, _status(row.cancelled_at, row.payload, "patient_arrived"))
        for row in rows
    ]


def _in_classes(patient_ids: list[str]) -> list[_Booked]:
    places = list(models.Attendee.objects.filter(patient_id__in=patient_ids, archived_at=None, deleted_at=None))
    classes = models.GroupAppointment.objects.filter(
        cliniko_id__in={place.booking_id for place in places}, archived_at=None, deleted_at=None
    ).in_bulk()
    return [
        _Booked(
            place.cliniko_id,
            classes[place.booking_id],
            place.payload,
            _status(place.cancelled_at, place.payload, "arrived"),
        )
        for place in places
        if place.booking_id in classes
    ]


@dataclass(frozen=True)
class _Names:
    practitioners: dict[str, str]
    businesses: dict[str, str]
    types: dict[str, str]

    @classmethod
    def of(cls, booked: list[_Booked]) -> "_Names":
        return cls(
            _names(models.Practitioner, {each.row.practitioner_id for each in booked}),
            _names(models.Business, {each.row.business_id for each in booked}),
            _names(models.AppointmentType, {each.row.appointment_type_id for each in booked}),
        )

    def tell(self, booked: _Booked) -> Appointment:
        row = booked.row
        return Appointment(
            cliniko_id=booked.cliniko_id,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            practitioner=self.practitioners.get(row.practitioner_id, ""),
            business=self.businesses.get(row.business_id, ""),
            appointment_type=self.types.get(row.appointment_type_id, ""),
            status=booked.status,
            cancellation_reason=text(booked.payload, "cancellation_reason_description"),
            notes=text(booked.payload, "notes"),
        )


def _names(
    model: type[models.Practitioner] | type[models.Business] | type[models.AppointmentType], ids: set[str]
) -> dict[str, str]:
    if not ids:
        return {}
    return dict(model.objects.filter(cliniko_id__in=ids).values_list("cliniko_id", "name"))


def _status(cancelled_at: datetime | None, payload: dict[str, Any], arrived: str) -> Status:
    """What became of it; an attendee's `arrived` is false for somebody who did not come."""
    if cancelled_at:
        return "cancelled"
    if payload.get("did_not_arrive") is True or (arrived == "arrived" and payload.get("arrived") is False):
        return "did_not_arrive"
    return "arrived" if payload.get(arrived) is True else "booked"
