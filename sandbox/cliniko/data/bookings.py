"""What is booked: a patient's appointment, a class, and a patient's place in a class."""

from datetime import timedelta
from typing import Any

from sandbox.cliniko.clock import moment, stamp
from sandbox.cliniko.data.blank_records import blank_appointment, blank_attendee, blank_class
from sandbox.cliniko.data.records import FIRST_ID, GIVEN, Record, Records, take
from sandbox.cliniko.data.resources import BOOKINGS
from sandbox.cliniko.errors import SandboxError

CANCELLABLE = GIVEN | {"cancelled_at"}
USUAL = {name: str(FIRST_ID) for name in ("practitioner", "business", "appointment_type")}


class Bookings(Records):
    def add_appointment(self, account: str, patient_id: int | str, starts_at: str, **fields: Any) -> str:
        """Book an appointment; unless named, with the account's first practitioner, business and type."""
        patient = self._one(account, "patients", patient_id)
        columns = take(fields, CANCELLABLE)
        body = {
            **blank_appointment(),
            **USUAL,
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
        """Put a class on the diary; its columns may be given beside its fields, as with a patient."""
        columns = take(fields, GIVEN)
        usual = {**USUAL, "appointment_type": self._class_type(account)}
        times = {"starts_at": starts_at, "ends_at": _after(starts_at, minutes=50)}
        return self.add(account, "group_appointments", {**blank_class(), **usual, **times, **fields}, **columns)

    def add_attendee(self, account: str, group_appointment_id: int | str, patient_id: int | str, **fields: Any) -> str:
        """Give a patient a place in a class, or in an individual appointment: Cliniko has attendees of both."""
        patient = self._one(account, "patients", patient_id)
        if not any(self.record(account, each, group_appointment_id) for each in BOOKINGS):
            raise SandboxError(f"{account} has no booking {group_appointment_id}.")
        columns = take(fields, CANCELLABLE - {"archived_at"})
        body = {**blank_attendee(), "booking": str(group_appointment_id), **fields}
        return self.add(account, "attendees", body, patient_id=patient.id, **columns)

    def cancel_attendee(self, account: str, id: int | str, reason: str = "Other", *, note: str | None = None) -> None:
        self._cancel(account, "attendees", id, reason, note)

    def classes_of(self, account: str, patient_id: int | str) -> list[tuple[Record, Record]]:
        """A patient's places in classes, each with its class, in the order they happen."""
        places = self.of_patient(account, "attendees", patient_id)
        found = [(place, self.record(account, "group_appointments", place.body["booking"])) for place in places]
        pairs = [(place, group) for place, group in found if group]
        return sorted(pairs, key=lambda pair: pair[1].body["starts_at"])

    def _cancel(self, account: str, resource: str, id: int | str, reason: str, note: str | None) -> None:
        fields = {"cancellation_reason_description": reason, "cancellation_note": note, "cancellation_reason": 50}
        self.edit(account, resource, id, cancelled_at=self.stamp(), **fields)

    def _class_type(self, account: str) -> str:
        """The account's first type for more than one; accounts of an earlier version have none."""
        types = self.all(account, "appointment_types")
        return next((str(each.id) for each in types if each.body["max_attendees"] > 1), USUAL["appointment_type"])

    def _one(self, account: str, resource: str, id: int | str) -> Record:
        found = self.record(account, resource, id)
        if not found:
            raise SandboxError(f"{account} has no {resource}/{id}.")
        return found


def _after(starts_at: str, *, minutes: int) -> str:
    return stamp(moment(starts_at) + timedelta(minutes=minutes))
