"""The read door for pages: one call, one answer, nothing of Cliniko's client or the engine."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from sync import connection, models
from sync.payloads import digits, fold, text
from sync.records import (
    Alert,
    Appointment,
    PatientRecord,
    PatientSummary,
    Status,
    full_name,
    phones,
    told_by,
)

State = models.Connection.State
STALE_AFTER = timedelta(minutes=10)  # ten ticks missed
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


@dataclass(frozen=True)
class MirrorStatus:
    """How the mirror stands. `sentence` tells staff what is wrong and who can do what; empty when all is well."""

    state: str
    sentence: str
    checked_at: datetime | None
    patients: int
    importing: bool


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
        appointments_note=_note(row, "individual_appointments", "Appointments", checks, zone),
        **told_by(row.payload),
    )


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


def status() -> MirrorStatus:
    held = connection.load()
    cursor = models.Cursor.objects.filter(resource="patients").first()
    importing = bool(held.sealed_key) and (cursor is None or cursor.imported_at is None)
    state = "importing" if importing and held.state == State.OK else held.state
    return MirrorStatus(
        state=state,
        sentence=_sentence(state, held),
        checked_at=cursor.checked_at if cursor else None,
        patients=models.Patient.objects.filter(deleted_at=None).count(),
        importing=importing,
    )


def _sentence(state: str, held: models.Connection) -> str:
    """What is wrong and who can do what, for staff."""
    return {
        State.NO_KEY: "Sidechart is not connected to Cliniko yet. An owner or admin can enter the clinic's API key.",
        "importing": "Patients are being copied from Cliniko for the first time. Everyone can be opened meanwhile.",
        State.RATE_LIMITED: "Cliniko is limiting our requests. This clears by itself within minutes.",
        State.KEY_INVALID: f"Cliniko refuses the API key …{held.key_last4}. An owner or admin can replace it.",
        State.KEY_FORBIDDEN: "The Cliniko user who made the API key may not read patients. "
        "An administrator can change that user's role in Cliniko.",
        State.UNREACHABLE: "Cliniko cannot be reached at the moment. We keep trying; what you see is our latest copy.",
        State.PAUSED: "Copying from Cliniko is paused. An owner or admin can resume it.",
    }.get(state, "")


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
    """Coming ones, soonest first, and past ones, latest first."""
    rows = models.Appointment.objects.filter(patient_id__in=patient_ids, archived_at=None, deleted_at=None)
    found = _with_names(rows.order_by("starts_at", "cliniko_id"))
    now = timezone.now()
    coming = tuple(appointment for appointment in found if (appointment.ends_at or appointment.starts_at) >= now)
    past = tuple(appointment for appointment in reversed(found) if (appointment.ends_at or appointment.starts_at) < now)
    return coming, past


def _with_names(rows: QuerySet[models.Appointment]) -> list[Appointment]:
    listed = list(rows)
    practitioners = _names(models.Practitioner, {row.practitioner_id for row in listed})
    businesses = _names(models.Business, {row.business_id for row in listed})
    types = _names(models.AppointmentType, {row.appointment_type_id for row in listed})
    return [
        Appointment(
            cliniko_id=row.cliniko_id,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            practitioner=practitioners.get(row.practitioner_id, ""),
            business=businesses.get(row.business_id, ""),
            appointment_type=types.get(row.appointment_type_id, ""),
            status=_status(row),
            cancellation_reason=text(row.payload, "cancellation_reason_description"),
            notes=text(row.payload, "notes"),
        )
        for row in listed
    ]


def _names(
    model: type[models.Practitioner] | type[models.Business] | type[models.AppointmentType], ids: set[str]
) -> dict[str, str]:
    if not ids:
        return {}
    return dict(model.objects.filter(cliniko_id__in=ids).values_list("cliniko_id", "name"))


def _status(row: models.Appointment) -> Status:
    if row.cancelled_at:
        return "cancelled"
    if row.payload.get("did_not_arrive") is True:
        return "did_not_arrive"
    return "arrived" if row.payload.get("patient_arrived") is True else "booked"
