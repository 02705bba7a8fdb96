"""Individual appointments, group appointments (classes) and their attendees."""

from datetime import timedelta
from typing import Any

from sandbox.cliniko.clock import format_time, parse_time
from sandbox.cliniko.data.blank_records import blank_appointment, blank_attendee, blank_class
from sandbox.cliniko.data.records import FIRST_ID, SETTABLE_COLUMNS, Record, Records, pop_columns
from sandbox.cliniko.data.resources import BOOKINGS
from sandbox.cliniko.errors import SandboxError

CANCELLABLE = SETTABLE_COLUMNS | {"cancelled_at"}
DEFAULTS = {name: str(FIRST_ID) for name in ("practitioner", "business", "appointment_type")}


class Bookings(Records):
    def add_appointment(self, account: str, patient_id: int | str, starts_at: str, **fields: Any) -> str:
        """Book an appointment, by default with the account's first practitioner, business and type."""
        patient = self._existing_record(account, "patients", patient_id)
        columns = pop_columns(fields, CANCELLABLE)
        body = {
            **blank_appointment(),
            **DEFAULTS,
            "starts_at": starts_at,
            "ends_at": _after(starts_at, minutes=30),
            "patient_name": f"{patient.body['first_name']} {patient.body['last_name']}".strip(),
            **fields,
        }
        return self.add(account, "individual_appointments", body, patient_id=patient.id, **columns)

    def cancel_appointment(
        self, account: str, id: int | str, reason: str = "Other", *, note: str | None = None
    ) -> None:
        self._cancel(account, "individual_appointments", id, reason, note)

    def add_class(self, account: str, starts_at: str, **fields: Any) -> str:
        """Add a class. `fields` may include the record's columns, as for a patient."""
        columns = pop_columns(fields, SETTABLE_COLUMNS)
        defaults = {**DEFAULTS, "appointment_type": self._class_type(account)}
        times = {"starts_at": starts_at, "ends_at": _after(starts_at, minutes=50)}
        return self.add(account, "group_appointments", {**blank_class(), **defaults, **times, **fields}, **columns)

    def add_attendee(self, account: str, group_appointment_id: int | str, patient_id: int | str, **fields: Any) -> str:
        """Add an attendee to a class or an individual appointment: Cliniko has attendees of both."""
        patient = self._existing_record(account, "patients", patient_id)
        if not any(self.record(account, each, group_appointment_id) for each in BOOKINGS):
            raise SandboxError(f"{account} has no booking {group_appointment_id}.")
        columns = pop_columns(fields, CANCELLABLE - {"archived_at"})
        body = {**blank_attendee(), "booking": str(group_appointment_id), **fields}
        return self.add(account, "attendees", body, patient_id=patient.id, **columns)

    def cancel_attendee(self, account: str, id: int | str, reason: str = "Other", *, note: str | None = None) -> None:
        self._cancel(account, "attendees", id, reason, note)

    def classes_of(self, account: str, patient_id: int | str) -> list[tuple[Record, Record]]:
        """Return (attendee, class) pairs of a patient by start time."""
        attendees = self.for_patient(account, "attendees", patient_id)
        found = [(each, self.record(account, "group_appointments", each.body["booking"])) for each in attendees]
        pairs = [(attendee, group) for attendee, group in found if group]
        return sorted(pairs, key=lambda pair: pair[1].body["starts_at"])

    def _cancel(self, account: str, resource: str, id: int | str, reason: str, note: str | None) -> None:
        fields = {"cancellation_reason_description": reason, "cancellation_note": note, "cancellation_reason": 50}
        self.edit(account, resource, id, cancelled_at=self.timestamp(), **fields)

    def _class_type(self, account: str) -> str:
        """Return the account's first type for several attendees; databases of an earlier version have none."""
        types = self.all(account, "appointment_types")
        return next((str(each.id) for each in types if each.body["max_attendees"] > 1), DEFAULTS["appointment_type"])

    def _existing_record(self, account: str, resource: str, id: int | str) -> Record:
        found = self.record(account, resource, id)
        if not found:
            raise SandboxError(f"{account} has no {resource}/{id}.")
        return found


def _after(starts_at: str, *, minutes: int) -> str:
    return format_time(parse_time(starts_at) + timedelta(minutes=minutes))
