"""Fill an account with a clinic and its patients, the same for the same name, seed and day."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import accumulate, islice
from random import Random
from typing import Any

from sandbox.cliniko.clock import format_time, parse_time
from sandbox.cliniko.data.records import FIRST_ID, Record
from sandbox.cliniko.seed import clinic
from sandbox.cliniko.seed.account_settings import zone_of
from sandbox.cliniko.seed.appointments import ClinicIds, make_alerts, make_appointments
from sandbox.cliniko.seed.classes import make_attendee, make_classes
from sandbox.cliniko.seed.clinic import MAX_ATTENDEES
from sandbox.cliniko.seed.patients import make_patient

DUPLICATES = 5  # patients entered twice and later merged
COLUMNS = ("created_at", "updated_at", "cancelled_at")


def record_ids() -> Iterator[int]:
    """Yield the same ids for every account: Cliniko numbers each account separately, so ids of two clinics collide."""
    random = Random("ids")
    yield from accumulate((random.randint(1, 97) for _ in iter(int, 1)), initial=FIRST_ID)


@dataclass
class AccountSeed:
    account: str
    settings: dict[str, Any]
    random: Random
    now: datetime
    patients: int

    def records(self) -> Iterator[Record]:
        yield from self._clinic()
        patients = list(self._patients())
        yield from patients
        bookings = record_ids()
        yield from self._alerts_and_appointments(patients, bookings)
        yield from self._classes([each for each in patients if self._may_attend(each)], bookings)

    def _clinic(self) -> Iterator[Record]:
        opened = format_time(self.now - timedelta(days=3000))
        users = clinic.users(self.account)
        country = self.settings["account"]["country"]
        bodies = {
            "users": users,
            "practitioners": clinic.practitioners(self.account, list(islice(record_ids(), 2, len(users)))),
            "businesses": clinic.businesses(self.settings["account"]["name"], country),
            "appointment_types": clinic.appointment_types(),
        }
        for resource, each in bodies.items():
            for number, body in zip(record_ids(), each, strict=False):
                yield Record(self.account, resource, number, opened, opened, body)

    def _patients(self) -> Iterator[Record]:
        """Two in five patients come from one import and share a created_at; the others registered one by one since."""
        numbers = list(islice(record_ids(), self.patients))
        imported = self.patients * 2 // 5
        began = self.now - timedelta(days=900)
        originals: list[Record] = []
        for position, number in enumerate(numbers):
            since = max(0, position - imported) / max(1, self.patients - imported)
            record = self._patient(number, began + timedelta(days=since * 898))
            if position < DUPLICATES:
                originals.append(record)
            elif position >= self.patients - DUPLICATES:
                record = self._duplicate(record, originals[position % DUPLICATES])
            yield record

    def _patient(self, number: int, created: datetime) -> Record:
        body = make_patient(self.random, self.now.date(), self.settings["account"]["country"])
        updated = created if self.random.random() < 0.5 else created + (self.now - created) * self.random.random()
        archived = None
        if self.random.random() < 0.03:
            updated = archived = max(created, self.now - timedelta(days=self.random.randint(2, 400)))
        at = format_time(archived) if archived else None
        return Record(
            self.account, "patients", number, format_time(created), format_time(updated), body, archived_at=at
        )

    def _duplicate(self, record: Record, survivor: Record) -> Record:
        """Return a duplicate of the survivor that was merged yesterday."""
        at = format_time(max(self.now - timedelta(days=1), parse_time(record.created_at)))
        body = {**survivor.body, "merged_at": at, "merged_with_patient": str(survivor.id)}
        return replace(record, body=body, archived_at=at, updated_at=at)

    def _clinic_ids(self) -> ClinicIds:
        treating = len(clinic.users(self.account)) - 2
        *types, class_type = islice(record_ids(), len(clinic.TYPES) + 1)
        return ClinicIds(
            list(islice(record_ids(), treating)),
            list(islice(record_ids(), 2)),
            types,
            class_type,
            zone_of(self.settings),
        )

    def _alerts_and_appointments(self, patients: list[Record], bookings: Iterator[int]) -> Iterator[Record]:
        ids, alert_ids = self._clinic_ids(), record_ids()
        for patient in patients:
            if patient.body["merged_at"]:
                continue
            for name in make_alerts(self.random):
                yield self._dependent(patient, "medical_alerts", next(alert_ids), {"name": name})
            text = patient.body["date_of_birth"]
            birth_date = date.fromisoformat(text) if text else None
            for body in make_appointments(
                self.random, ids, self.now, birth_date=birth_date, upcoming=not patient.archived_at
            ):
                body["patient_name"] = f"{patient.body['first_name']} {patient.body['last_name']}".strip()
                yield self._dependent(patient, "individual_appointments", next(bookings), body)

    def _classes(self, patients: list[Record], bookings: Iterator[int]) -> Iterator[Record]:
        """Yield classes and their attendees, who are regulars. Last, so that other records don't depend on them."""
        if not patients:
            return
        ids, attendee_ids = self._clinic_ids(), record_ids()
        regulars = self.random.sample(patients, min(len(patients), 3 * MAX_ATTENDEES))
        for group in make_classes(self.random, ids, self.now):
            number, booked = next(bookings), format_time(group.booked_at)
            yield Record(self.account, "group_appointments", number, booked, booked, group.body)
            count = self.random.randint(3, MAX_ATTENDEES)
            for patient in self.random.sample(regulars, min(len(regulars), count)):
                body = {**make_attendee(self.random, group, self.now), "booking": str(number)}
                yield self._dependent(patient, "attendees", next(attendee_ids), body)

    def _may_attend(self, patient: Record) -> bool:
        """Return True for adults registered before the first class."""
        a_year_ago, adult_before = self.now - timedelta(days=365), self.now - timedelta(days=6000)
        is_child = (patient.body["date_of_birth"] or "") > adult_before.date().isoformat()
        return not patient.archived_at and not is_child and patient.created_at < format_time(a_year_ago)

    def _dependent(self, patient: Record, resource: str, number: int, body: dict[str, Any]) -> Record:
        defaults = {"created_at": patient.created_at, "updated_at": patient.created_at, "cancelled_at": None}
        columns = {name: body.pop(name, defaults[name]) for name in COLUMNS}
        return Record(self.account, resource, number, body=body, patient_id=patient.id, **columns)
