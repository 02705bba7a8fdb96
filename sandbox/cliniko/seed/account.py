"""Fills an account with a clinic and its patients: the same for the same name, seed and day."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import accumulate, islice
from random import Random
from typing import Any

from sandbox.cliniko.clock import moment, stamp
from sandbox.cliniko.data.records import FIRST_ID, Record
from sandbox.cliniko.seed import clinic
from sandbox.cliniko.seed.account_settings import zone_of
from sandbox.cliniko.seed.appointments import House, alerts, appointments
from sandbox.cliniko.seed.classes import attendance, classes
from sandbox.cliniko.seed.clinic import MOST_ATTENDEES
from sandbox.cliniko.seed.patients import person

DUPLICATES = 5  # patients that staff once entered twice and later merged
COLUMNS = ("created_at", "updated_at", "cancelled_at")


def ids() -> Iterator[int]:
    """The same sequence for every account: Cliniko numbers each by itself, so ids of two clinics meet."""
    random = Random("ids")
    yield from accumulate((random.randint(1, 97) for _ in iter(int, 1)), initial=FIRST_ID)


@dataclass
class Seeding:
    account: str
    settings: dict[str, Any]
    random: Random
    now: datetime
    patients: int

    def records(self) -> Iterator[Record]:
        yield from self._clinic()
        patients = list(self._patients())
        yield from patients
        bookings = ids()
        yield from self._attached(patients, bookings)
        yield from self._classes([each for each in patients if self._may_attend(each)], bookings)

    def _clinic(self) -> Iterator[Record]:
        opened = stamp(self.now - timedelta(days=3000))
        users = clinic.users(self.account)
        country = self.settings["account"]["country"]
        bodies = {
            "users": users,
            "practitioners": clinic.practitioners(self.account, list(islice(ids(), 2, len(users)))),
            "businesses": clinic.businesses(self.settings["account"]["name"], country),
            "appointment_types": clinic.appointment_types(),
        }
        for resource, each in bodies.items():
            for number, body in zip(ids(), each, strict=False):
                yield Record(self.account, resource, number, opened, opened, body)

    def _patients(self) -> Iterator[Record]:
        """Two in five came over in one import and share one second; the others registered one by one since."""
        numbers = list(islice(ids(), self.patients))
        imported = self.patients * 2 // 5
        began = self.now - timedelta(days=900)
        firsts: list[Record] = []
        for place, number in enumerate(numbers):
            since = max(0, place - imported) / max(1, self.patients - imported)
            record = self._patient(number, began + timedelta(days=since * 898))
            if place < DUPLICATES:
                firsts.append(record)
            elif place >= self.patients - DUPLICATES:
                record = self._twin(record, firsts[place % DUPLICATES])
            yield record

    def _patient(self, number: int, created: datetime) -> Record:
        body = person(self.random, self.now.date(), self.settings["account"]["country"])
        updated = created if self.random.random() < 0.5 else created + (self.now - created) * self.random.random()
        archived = None
        if self.random.random() < 0.03:
            updated = archived = max(created, self.now - timedelta(days=self.random.randint(2, 400)))
        at = stamp(archived) if archived else None
        return Record(self.account, "patients", number, stamp(created), stamp(updated), body, archived_at=at)

    def _twin(self, record: Record, survivor: Record) -> Record:
        """The same person entered a second time, found and merged yesterday."""
        at = stamp(max(self.now - timedelta(days=1), moment(record.created_at)))
        body = {**survivor.body, "merged_at": at, "merged_with_patient": str(survivor.id)}
        return replace(record, body=body, archived_at=at, updated_at=at)

    def _house(self) -> House:
        treating = len(clinic.users(self.account)) - 2
        *types, class_type = islice(ids(), len(clinic.TYPES) + 1)
        return House(list(islice(ids(), treating)), list(islice(ids(), 2)), types, class_type, zone_of(self.settings))

    def _attached(self, patients: list[Record], bookings: Iterator[int]) -> Iterator[Record]:
        house, alert_ids = self._house(), ids()
        for patient in patients:
            if patient.body["merged_at"]:
                continue
            for name in alerts(self.random):
                yield self._of(patient, "medical_alerts", next(alert_ids), {"name": name})
            birthday = patient.body["date_of_birth"]
            born = date.fromisoformat(birthday) if birthday else None
            for body in appointments(self.random, house, self.now, born=born, coming=not patient.archived_at):
                body["patient_name"] = f"{patient.body['first_name']} {patient.body['last_name']}".strip()
                yield self._of(patient, "individual_appointments", next(bookings), body)

    def _classes(self, patients: list[Record], bookings: Iterator[int]) -> Iterator[Record]:
        """Last of all, so that everybody else is drawn as if there were none. Most who come are regulars."""
        if not patients:
            return
        house, attendee_ids = self._house(), ids()
        regulars = self.random.sample(patients, min(len(patients), 3 * MOST_ATTENDEES))
        for group in classes(self.random, house, self.now):
            number, booked = next(bookings), stamp(group.booked_at)
            yield Record(self.account, "group_appointments", number, booked, booked, group.body)
            count = self.random.randint(3, MOST_ATTENDEES)
            for patient in self.random.sample(regulars, min(len(regulars), count)):
                body = {**attendance(self.random, group, self.now), "booking": str(number)}
                yield self._of(patient, "attendees", next(attendee_ids), body)

    def _may_attend(self, patient: Record) -> bool:
        """Grown up, and known here for longer than the timetable reaches back."""
        long_ago, grown = self.now - timedelta(days=365), self.now - timedelta(days=6000)
        born_late = (patient.body["date_of_birth"] or "") > grown.date().isoformat()
        return not patient.archived_at and not born_late and patient.created_at < stamp(long_ago)

    def _of(self, patient: Record, resource: str, number: int, body: dict[str, Any]) -> Record:
        moments = {"created_at": patient.created_at, "updated_at": patient.created_at, "cancelled_at": None}
        columns = {name: body.pop(name, moments[name]) for name in COLUMNS}
        return Record(self.account, resource, number, body=body, patient_id=patient.id, **columns)
