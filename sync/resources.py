"""What is mirrored: one entry a resource. Adding one is an entry here, a model and a reader."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sync.models import Appointment, AppointmentType, Business, MedicalAlert, Mirrored, Patient, Practitioner
from sync.payloads import (
    PayloadRefused,
    cliniko_id,
    day,
    digits,
    fold,
    items,
    linked_id,
    moment,
    needed_moment,
    text,
)

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Resource:
    """One of Cliniko's lists and the table that mirrors it.

    `hidden` are the filters that make the list show what it leaves out by default. `read` gives the typed columns of
    one payload beside those every record has, and raises PayloadRefused.
    """

    name: str
    label: str
    model: type[Mirrored]
    read: Callable[[dict[str, Any]], Row]
    columns: dict[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ("archived_at:*",)


SHARED_COLUMNS = {
    "cliniko_id": "text",
    "payload": "jsonb",
    "updated_at": "timestamptz",
    "archived_at": "timestamptz",
    "deleted_at": "timestamptz",
}


def read_payload(resource: Resource, payload: dict[str, Any]) -> Row:
    """The row of one payload, ready for JSON. Raises PayloadRefused."""
    shared = {
        "cliniko_id": cliniko_id(payload),
        "payload": payload,
        "updated_at": needed_moment(payload, "updated_at"),
        "archived_at": moment(payload, "archived_at"),
        "deleted_at": moment(payload, "deleted_at"),
    }
    return shared | resource.read(payload)


def _patient(payload: dict[str, Any]) -> Row:
    names = [text(payload, part) for part in ("first_name", "last_name", "preferred_first_name")]
    if not any(names):
        names = [text(payload, "label")]
    phones = (digits(text(phone, "number")) for phone in items(payload, "patient_phone_numbers"))
    return {
        "merged_into": linked_id(payload, "merged_with_patient") or None,
        "date_of_birth": day(payload, "date_of_birth"),
        "sort_name": fold(f"{text(payload, 'last_name')} {text(payload, 'first_name')}"),
        "search_names": fold(" ".join(names)),
        "search_phones": " ".join(phone for phone in phones if phone),
    }


def _medical_alert(payload: dict[str, Any]) -> Row:
    patient_id = linked_id(payload, "patient")
    if not patient_id:
        raise PayloadRefused("The alert names no patient.")
    return {"patient_id": patient_id, "name": text(payload, "name")}


def _appointment(payload: dict[str, Any]) -> Row:
    return {
        "patient_id": linked_id(payload, "patient"),
        "practitioner_id": linked_id(payload, "practitioner"),
        "business_id": linked_id(payload, "business"),
        "appointment_type_id": linked_id(payload, "appointment_type"),
        "starts_at": needed_moment(payload, "starts_at"),
        "ends_at": moment(payload, "ends_at"),
        "cancelled_at": moment(payload, "cancelled_at"),
    }


def _practitioner(payload: dict[str, Any]) -> Row:
    spelt = " ".join(filter(None, (text(payload, part) for part in ("title", "first_name", "last_name"))))
    return {"name": text(payload, "display_name") or text(payload, "label") or spelt}


def _business(payload: dict[str, Any]) -> Row:
    return {"name": text(payload, "display_name") or text(payload, "business_name") or text(payload, "label")}


def _appointment_type(payload: dict[str, Any]) -> Row:
    return {"name": text(payload, "name")}


NAME = {"name": "text"}

# In the order of a full import: names first, so that an appointment never shows without them, then patients.
RESOURCES = (
    Resource("practitioners", "practitioners", Practitioner, _practitioner, NAME),
    Resource("businesses", "businesses", Business, _business, NAME),
    Resource("appointment_types", "appointment types", AppointmentType, _appointment_type, NAME),
    Resource(
        "patients",
        "patients",
        Patient,
        _patient,
        {
            "merged_into": "text",
            "date_of_birth": "date",
            "sort_name": "text",
            "search_names": "text",
            "search_phones": "text",
        },
    ),
    Resource("medical_alerts", "medical alerts", MedicalAlert, _medical_alert, {"patient_id": "text"} | NAME),
    Resource(
        "individual_appointments",
        "appointments",
        Appointment,
        _appointment,
        {
            "patient_id": "text",
            "practitioner_id": "text",
            "business_id": "text",
            "appointment_type_id": "text",
            "starts_at": "timestamptz",
            "ends_at": "timestamptz",
            "cancelled_at": "timestamptz",
        },
        hidden=("archived_at:*", "cancelled_at:*"),
    ),
)
PATIENTS = next(resource for resource in RESOURCES if resource.name == "patients")
ALERTS = next(resource for resource in RESOURCES if resource.name == "medical_alerts")
