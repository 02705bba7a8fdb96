"""Read all mirrored data about one patient, for a copy that the patient asks for."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sync import models

if TYPE_CHECKING:
    from django.db.models import QuerySet

_COLUMNS = ("cliniko_id", "updated_at", "archived_at", "deleted_at", "first_seen_at", "payload")
_NAMED: dict[str, tuple[type[models.MirroredRecord], str]] = {
    "practitioners": (models.Practitioner, "practitioner_id"),
    "businesses": (models.Business, "business_id"),
    "appointment_types": (models.AppointmentType, "appointment_type_id"),
}
Rows = list[dict[str, Any]]


def patient_data(cliniko_ids: Iterable[str]) -> dict[str, Rows]:
    """Return every record about the patient with these ids, by resource, with its payload as received.

    Includes archived, cancelled and deleted records, changes of the patient's fields, records that couldn't be read,
    and the names of the practitioners, businesses and appointment types of the appointments.
    """
    ids = list(cliniko_ids)
    appointments = models.Appointment.objects.filter(patient_id__in=ids)
    attendees = models.Attendee.objects.filter(patient_id__in=ids)
    group_appointments = models.GroupAppointment.objects.filter(cliniko_id__in=attendees.values("booking_id"))
    changes: QuerySet[Any] = models.PatientChange.objects.filter(patient_id__in=ids).order_by("changed_at", "pk")
    refused: QuerySet[Any] = models.RefusedPayload.objects.filter(patient_id__in=ids).order_by("pk")
    records: dict[str, QuerySet[Any]] = {
        "patients": models.Patient.objects.filter(cliniko_id__in=ids),
        "medical_alerts": models.MedicalAlert.objects.filter(patient_id__in=ids),
        "individual_appointments": appointments,
        "attendees": attendees,
        "group_appointments": group_appointments,
    }
    data = {resource: list(rows.order_by("cliniko_id").values(*_COLUMNS)) for resource, rows in records.items()}
    data["changes"] = list(changes.values("patient_id", "field", "before", "after", "changed_at"))
    data["not_readable"] = list(refused.values("resource", "cliniko_id", "reason", "refused_at", "payload"))
    for resource, (model, column) in _NAMED.items():
        booked = {each for rows in (appointments, group_appointments) for each in rows.values_list(column, flat=True)}
        named: QuerySet[Any] = model._default_manager.filter(cliniko_id__in=booked).order_by("cliniko_id")
        data[resource] = list(named.values("cliniko_id", "name"))
    return data
