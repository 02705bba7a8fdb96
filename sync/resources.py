"""The mirrored resources. To add one, add an entry here, a model and a parser."""

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
    required_timestamp,
    text,
    timestamp,
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


SLOW = timedelta(minutes=5)
MAX_SORT_NAME = 200  # PostgreSQL limits an index row to 2,700 bytes


@dataclass(frozen=True, eq=False)
class Resource:
    """One of Cliniko's resources and the table that mirrors it.

    `parse` returns the typed `columns` that SHARED_COLUMNS lacks, and raises PayloadRefused. By default Cliniko's list
    leaves out records that have a time in a `hidden` field: the filter `archived_at:*` includes them, or if Cliniko
    rejects it, the list `/archived` has them. `subsets` are more lists that are always walked. `interval` is how often
    the resource is walked, None for every tick.
    """

    name: str
    label: str
    model: type[MirroredRecord]
    parse: Callable[[dict[str, Any]], Row]
    columns: dict[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ("archived_at",)
    subsets: tuple[str, ...] = ("deleted",)
    interval: timedelta | None = None


SHARED_COLUMNS = {
    "cliniko_id": "text",
    "payload": "jsonb",
    "updated_at": "timestamptz",
    "archived_at": "timestamptz",
    "deleted_at": "timestamptz",
}


def read_payload(resource: Resource, payload: dict[str, Any]) -> Row:
    """Parse a payload into a row, ready for JSON. Raises PayloadRefused."""
    shared = {
        "cliniko_id": cliniko_id(payload),
        "payload": payload,
        "updated_at": required_timestamp(payload, "updated_at"),
        "archived_at": timestamp(payload, "archived_at"),
        "deleted_at": timestamp(payload, "deleted_at"),
    }
    return shared | resource.parse(payload)


def _patient(payload: dict[str, Any]) -> Row:
    first, last, preferred = (fold(text(payload, part)) for part in ("first_name", "last_name", "preferred_first_name"))
    names = " ".join(filter(None, (first, last, preferred)))
    phones = (digits(text(phone, "number")) for phone in items(payload, "patient_phone_numbers"))
    return {
        "merged_into": linked_id(payload, "merged_with_patient") or None,
        "date_of_birth": day(payload, "date_of_birth"),
        "sort_name": f"{last} {first}".strip()[:MAX_SORT_NAME],
        "search_names": names or fold(text(payload, "label")),
        "search_phones": " ".join(phone for phone in phones if phone),
    }


def _medical_alert(payload: dict[str, Any]) -> Row:
    patient_id = linked_id(payload, "patient")
    if not patient_id:
        raise PayloadRefused("The alert has no patient.")
    return {"patient_id": patient_id, "name": text(payload, "name")}


def _booking(payload: dict[str, Any]) -> Row:
    return {
        "practitioner_id": linked_id(payload, "practitioner"),
        "business_id": linked_id(payload, "business"),
        "appointment_type_id": linked_id(payload, "appointment_type"),
        "starts_at": required_timestamp(payload, "starts_at"),
        "ends_at": timestamp(payload, "ends_at"),
    }


def _attendance(payload: dict[str, Any]) -> Row:
    return {"patient_id": linked_id(payload, "patient"), "cancelled_at": timestamp(payload, "cancelled_at")}


def _appointment(payload: dict[str, Any]) -> Row:
    return _booking(payload) | _attendance(payload)


def _attendee(payload: dict[str, Any]) -> Row:
    booking = linked_id(payload, "booking") or linked_id(payload, "group_appointment")
    return _attendance(payload) | {"booking_id": booking}


def _practitioner(payload: dict[str, Any]) -> Row:
    full = " ".join(filter(None, (text(payload, part) for part in ("title", "first_name", "last_name"))))
    return {"name": text(payload, "display_name") or text(payload, "label") or full}


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
SEARCH = {
    "merged_into": "text",
    "date_of_birth": "date",
    "sort_name": "text",
    "search_names": "text",
    "search_phones": "text",
}
ATTENDANCE = {"patient_id": "text", "cancelled_at": "timestamptz"}
HIDDEN = ("archived_at", "cancelled_at")

# In the order of a full import: practitioners, businesses and types first, so appointments never show without them.
RESOURCES = (
    # Reference: docs.api.cliniko.com: practitioners who left are in /practitioners/inactive.
    Resource("practitioners", "practitioners", Practitioner, _practitioner, NAME, (), ("inactive",), SLOW),
    Resource("businesses", "businesses", Business, _business, NAME, subsets=(), interval=SLOW),
    Resource("appointment_types", "appointment types", AppointmentType, _named, NAME, subsets=(), interval=SLOW),
    Resource("patients", "patients", Patient, _patient, SEARCH),
    Resource("medical_alerts", "medical alerts", MedicalAlert, _medical_alert, {"patient_id": "text"} | NAME),
    Resource("individual_appointments", "appointments", Appointment, _appointment, BOOKING | ATTENDANCE, HIDDEN),
    Resource("group_appointments", "group appointments", GroupAppointment, _booking, BOOKING),
    Resource("attendees", "attendees", Attendee, _attendee, {"booking_id": "text"} | ATTENDANCE, ("cancelled_at",)),
)
BY_NAME = {resource.name: resource for resource in RESOURCES}
PATIENTS, ALERTS = BY_NAME["patients"], BY_NAME["medical_alerts"]


@dataclass(frozen=True)
class Listing:
    """One of a resource's lists; `subset` is "" for the main list, or `deleted` and the like."""

    resource: Resource
    subset: str = ""

    @property
    def name(self) -> str:
        """The path in Cliniko's API: `patients`, `patients/deleted`."""
        return f"{self.resource.name}/{self.subset}" if self.subset else self.resource.name

    @property
    def lists_deletions(self) -> bool:
        return self.subset == "deleted"


def listings(resource: Resource, *, asks_hidden: bool = True) -> tuple[Listing, ...]:
    """Return a resource's lists; deleted records first, so that their baseline count precedes the import."""
    hidden = () if asks_hidden else tuple(name.removesuffix("_at") for name in resource.hidden)
    found = [Listing(resource, subset) for subset in ("", *resource.subsets, *hidden)]
    return tuple(sorted(found, key=lambda listing: not listing.lists_deletions))
