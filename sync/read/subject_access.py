"""The read door for taking a patient's data away: everything the mirror holds about one person, as plain values."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from sync import models

_RECORD = ("cliniko_id", "updated_at", "archived_at", "deleted_at", "first_seen_at", "payload")
_NAMED: dict[str, tuple[type[models.MirroredRecord], str]] = {
    "practitioners": (models.Practitioner, "practitioner_id"),
    "businesses": (models.Business, "business_id"),
    "appointment_types": (models.AppointmentType, "appointment_type_id"),
}
Rows = list[dict[str, Any]]


def patient_data(cliniko_ids: Iterable[str]) -> dict[str, Rows]:
    """By resource, all records about the patient of these ids, those archived, cancelled and deleted too, each with its
    payload as Cliniko gave it; what changed in the patient's record; what could not be read; and the names of whom and
    what the appointments are with."""
    ids = list(cliniko_ids)
    appointments = models.Appointment.objects.filter(patient_id__in=ids)
    places = models.Attendee.objects.filter(patient_id__in=ids)
    classes = models.GroupAppointment.objects.filter(cliniko_id__in=places.values("booking_id"))
    changes: QuerySet[Any] = models.PatientChange.objects.filter(patient_id__in=ids).order_by("changed_at", "pk")
    refused: QuerySet[Any] = models.RefusedPayload.objects.filter(patient_id__in=ids).order_by("pk")
    found: dict[str, Rows] = {
        "patients": _records(models.Patient.objects.filter(cliniko_id__in=ids)),
        "medical_alerts": _records(models.MedicalAlert.objects.filter(patient_id__in=ids)),
        "individual_appointments": _records(appointments),
        "attendees": _records(places),
        "group_appointments": _records(classes),
        "changes": list(changes.values("patient_id", "field", "before", "after", "changed_at")),
        "not_readable": list(refused.values("resource", "cliniko_id", "reason", "refused_at", "payload")),
    }
    return found | _names(appointments, classes)


def _records(rows: QuerySet[Any]) -> Rows:
    return list(rows.order_by("cliniko_id").values(*_RECORD))


def _names(*bookings: QuerySet[Any]) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for resource, (model, column) in _NAMED.items():
        ids = {held for rows in bookings for held in rows.values_list(column, flat=True)}
        named: QuerySet[Any] = model._default_manager.filter(cliniko_id__in=ids).order_by("cliniko_id")
        found[resource] = list(named.values("cliniko_id", "name"))
    return found
