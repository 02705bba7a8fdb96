"""What is mirrored: one entry a resource. Adding one is an entry here, a model and a reader."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sync.cliniko.payloads import (
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
from sync.models import (
    Appointment,
    AppointmentType,
    Attendee,
    Business,
    GroupAppointment,
    MedicalAlert,
    MirroredRecord,
    Patient,
    Practitioner,
)

Row = dict[str, Any]


RARELY = timedelta(minutes=5)
LONGEST_SORT_NAME = 200  # an index row of PostgreSQL holds 2,700 bytes


@dataclass(frozen=True, eq=False)
class Resource:
    """One of Cliniko's resources and the table that mirrors it.

    `read` gives the typed columns of one payload beside those every record has, and raises PayloadRefused. `hidden` are
    the times whose bearers the list leaves out by default: `archived_at` is asked for as `archived_at:*`, or where
    Cliniko does not filter by it, read from `/archived`. `apart` are records in a list of their own always. `every` is
    how often it is walked, None for every tick.
    """

    name: str
    label: str
    model: type[MirroredRecord]
    read: Callable[[dict[str, Any]], Row]
    columns: dict[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ("archived_at",)
    apart: tuple[str, ...] = ("deleted",)
    every: timedelta | None = None


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
    first, last, preferred = (fold(text(payload, part)) for part in ("first_name", "last_name", "preferred_first_name"))
    names = " ".join(filter(None, (first, last, preferred)))
    phones = (digits(text(phone, "number")) for phone in items(payload, "patient_phone_numbers"))
    return {
        "merged_into": linked_id(payload, "merged_with_patient") or None,
        "date_of_birth": day(payload, "date_of_birth"),
        "sort_name": f"{last} {first}".strip()[:LONGEST_SORT_NAME],
        "search_names": names or fold(text(payload, "label")),
        "search_phones": " ".join(phone for phone in phones if phone),
    }


def _medical_alert(payload: dict[str, Any]) -> Row:
    patient_id = linked_id(payload, "patient")
    if not patient_id:
        raise PayloadRefused("The alert names no patient.")
    return {"patient_id": patient_id, "name": text(payload, "name")}


def _booking(payload: dict[str, Any]) -> Row:
    return {
        "practitioner_id": linked_id(payload, "practitioner"),
        "business_id": linked_id(payload, "business"),
        "appointment_type_id": linked_id(payload, "appointment_type"),
        "starts_at": needed_moment(payload, "starts_at"),
        "ends_at": moment(payload, "ends_at"),
    }


def _of_patient(payload: dict[str, Any]) -> Row:
    return {"patient_id": linked_id(payload, "patient"), "cancelled_at": moment(payload, "cancelled_at")}


def _appointment(payload: dict[str, Any]) -> Row:
    return _booking(payload) | _of_patient(payload)


def _attendee(payload: dict[str, Any]) -> Row:
    booking = linked_id(payload, "booking") or linked_id(payload, "group_appointment")
    return _of_patient(payload) | {"booking_id": booking}


def _practitioner(payload: dict[str, Any]) -> Row:
    spelt = " ".join(filter(None, (text(payload, part) for part in ("title", "first_name", "last_name"))))
    return {"name": text(payload, "display_name") or text(payload, "label") or spelt}


def _business(payload: dict[str, Any]) -> Row:
    return {"name": text(payload, "display_name") or text(payload, "business_name") or text(payload, "label")}


def _named(payload: dict[str, Any]) -> Row:
    return {"name": text(payload, "name")}


NAME = {"name": "text"}
BOOKING = {
    "practitioner_id": "text",
    "business_id": "text",
    "appointment_type_id": "text",
    "starts_at": "timestamptz",
    "ends_at": "timestamptz",
}
FOUND_BY = {
    "merged_into": "text",
    "date_of_birth": "date",
    "sort_name": "text",
    "search_names": "text",
    "search_phones": "text",
}
OF_PATIENT = {"patient_id": "text", "cancelled_at": "timestamptz"}
ENDS = ("archived_at", "cancelled_at")

# In the order of a full import: names first, so that an appointment never shows without them, then patients.
RESOURCES = (
    # Reference: docs.api.cliniko.com: who left is in /practitioners/inactive.
    Resource("practitioners", "practitioners", Practitioner, _practitioner, NAME, (), ("inactive",), RARELY),
    Resource("businesses", "businesses", Business, _business, NAME, apart=(), every=RARELY),
    Resource("appointment_types", "appointment types", AppointmentType, _named, NAME, apart=(), every=RARELY),
    Resource("patients", "patients", Patient, _patient, FOUND_BY),
    Resource("medical_alerts", "medical alerts", MedicalAlert, _medical_alert, {"patient_id": "text"} | NAME),
    Resource("individual_appointments", "appointments", Appointment, _appointment, BOOKING | OF_PATIENT, ENDS),
    Resource("group_appointments", "classes", GroupAppointment, _booking, BOOKING),
    Resource(
        "attendees", "places in classes", Attendee, _attendee, {"booking_id": "text"} | OF_PATIENT, ("cancelled_at",)
    ),
)
BY_NAME = {resource.name: resource for resource in RESOURCES}
PATIENTS, ALERTS = BY_NAME["patients"], BY_NAME["medical_alerts"]


@dataclass(frozen=True)
class Listing:
    """One of the lists that a resource is read from: `subset` is "" for the list itself, or `deleted` and the like."""

    resource: Resource
    subset: str = ""

    @property
    def name(self) -> str:
        """As in Cliniko's address: `patients`, `patients/deleted`."""
        return f"{self.resource.name}/{self.subset}" if self.subset else self.resource.name

    @property
    def tells_deletions(self) -> bool:
        return self.subset == "deleted"


def listings(resource: Resource, *, asks_hidden: bool = True) -> tuple[Listing, ...]:
    """The lists to walk for a resource: first those of records that are gone, whose count counts from the start."""
    hidden = () if asks_hidden else tuple(name.removesuffix("_at") for name in resource.hidden)
    found = [Listing(resource, subset) for subset in ("", *resource.apart, *hidden)]
    return tuple(sorted(found, key=lambda listing: not listing.tells_deletions))
