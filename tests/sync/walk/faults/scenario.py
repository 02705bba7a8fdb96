"""Two small clinics in one sandbox, the same ids and other people in each, and a worker that does not give up."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from sandbox.cliniko.clock import format_time
from sandbox.cliniko.data.blank_records import blank_appointment, blank_attendee, blank_class, blank_patient
from sandbox.cliniko.data.records import FIRST_ID, Record
from sandbox.cliniko.faults.kinds import Fault
from sandbox.cliniko.store import Store
from sync.cliniko.client import ApiKey
from sync.cliniko.errors import ClinikoError
from sync.connection.sealing import seal
from sync.models import Connection, Cursor, Reconciliation, RefusedPayload
from sync.resources import BY_NAME, RESOURCES, listings
from sync.walk import run as walk_run
from sync.walk.reconcile import request_comparison
from sync.walk.schedule import reconcile_all
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context
from tenants.models import KeyBudget
from tests.cliniko_sandbox import Sandbox
from tests.sync.walk.sandbox_records import Differences, api_of, differences, held, rendered, truth

PER_PAGE = 4
PATIENTS, OTHERS = 10, 9  # of everything three pages that can be seen, the last with one record
MOVING = ("patients", "medical_alerts", "individual_appointments", "group_appointments", "attendees")
HOLDERS = (3, 6, 7)  # the places of the patients on whom all else hangs
CLASSES = 100  # the place of the first class: appointments and classes are numbered as one
FAR = timedelta(days=1)


def number(place: int) -> str:
    """The id of the record in this place, counted from 0, whichever resource and account."""
    return str(FIRST_ID + 7 * place)


def records(label: str, *, patients: int = PATIENTS, others: int = OTHERS) -> list[Record]:
    """The people of one account and what hangs on them, days old: no two of the same second."""
    people = [_record(label, "patients", place, {**blank_patient(), "first_name": label}) for place in range(patients)]
    attached: list[Record] = []
    for place in range(others):
        at = format_time(timezone.now() + timedelta(days=place))
        named = {"starts_at": at, "ends_at": at, "notes": label}
        whose, booking = HOLDERS[place % len(HOLDERS)], {"booking": number(CLASSES + place)}
        attached += [
            _record(label, "medical_alerts", place, {"name": label}, patient=whose),
            _record(label, "individual_appointments", place, blank_appointment() | named, patient=whose),
            _record(label, "group_appointments", CLASSES + place, blank_class() | named),
            _record(label, "attendees", place, blank_attendee() | booking, patient=whose),
        ]
    return people + attached


def _record(label: str, resource: str, place: int, body: dict[str, Any], *, patient: int | None = None) -> Record:
    at = format_time(timezone.now() - timedelta(days=3, seconds=-place))
    whose = None if patient is None else int(number(patient))
    return Record(label, resource, int(number(place)), at, at, body, patient_id=whose)


def furnish(store: Store, label: str) -> None:
    """Put the account's people there, with one of each kind of ending among them."""
    store.add_many(records(label))
    store.archive(label, number(3))
    store.merge(label, number(8), number(7))
    store.delete(label, number(9))
    store.archive(label, number(1), resource="medical_alerts")
    store.cancel_appointment(label, number(1))
    store.archive(label, number(2), resource="individual_appointments")
    store.archive(label, number(CLASSES + 1), resource="group_appointments")
    store.cancel_attendee(label, number(1))
    long_ago = format_time(timezone.now() - timedelta(days=2))
    with store.writing() as connection:
        connection.execute(
            "UPDATE records SET updated_at = ? WHERE account = ? AND updated_at > ?", (long_ago, label, long_ago)
        )


def place_of(resource: str, place: int) -> str:
    """The id of the record in this place of one resource."""
    return number(place + (CLASSES if resource == "group_appointments" else 0))


def words_of(resource: str, words: str) -> dict[str, Any]:
    """An edit that shows."""
    return {{"patients": "first_name", "medical_alerts": "name"}.get(resource, "notes"): words}


def every_list() -> list[tuple[str, str]]:
    """Each resource's name with each list it is read from."""
    return [(each.name, listing.name) for each in RESOURCES for listing in listings(each)]


@dataclass
class Cast(Sandbox):
    """bondi is tried hard; harbour is mirrored already and must stay as it is."""

    harbour: str = field(default="")
    after_answer: list[Callable[[str], None]] = field(default_factory=list)  # called with the path, in the server

    def hold_key(self, label: str) -> None:
        """The clinic's key is stored, without asking Cliniko about it first."""
        with clinic_context(label) as clinic:
            sealed = seal(ApiKey(self.store.key(label)), clinic=clinic.schema_name, keys=settings.SEALING_KEYS)
            shard = ApiKey(self.store.key(label)).shard
            known = {"sealed_key": sealed, "shard": shard, "account_subdomain": label, "connected_at": timezone.now()}
            Connection.objects.update_or_create(id=1, defaults=known | {"state": "ok", "key_state": "ok"})

    def fill(self, label: str) -> None:
        """Mirror the account without asking its API."""
        api, there = api_of(self.store, self.url, label), truth(self.store, label)
        with clinic_context(label):
            for resource in RESOURCES:
                live = [rendered(record, api) for record in there[resource.name] if not record.deleted_at]
                write_page(resource, live, sequence=next_sequence())
        if label == "harbour":
            self.harbour = json.dumps(held(label), sort_keys=True)

    def sync(self, label: str) -> None:
        """One quiet tick."""
        with clinic_context(label):
            assert walk_run.run_sync()

    def mirrored(self, label: str = "bondi", *, without: str | tuple[str, ...] = ()) -> None:
        """Every list was imported a moment ago, but for those resources that still wait for it."""
        self.fill(label)
        now = timezone.now()
        walked = {"imported_at": now, "checked_at": now, "cursor": now - timedelta(seconds=60)}
        with clinic_context(label):
            Cursor.objects.bulk_create(
                Cursor(resource=listing, total=self._gone(label, each) if "/" in listing else None, **walked)
                for each, listing in every_list()
            )
            Reconciliation.objects.bulk_create(
                Reconciliation(resource=each.name, due_at=now + FAR) for each in RESOURCES
            )
            for name in filter(None, (without,) if isinstance(without, str) else without):
                BY_NAME[name].model._default_manager.all().delete()
                Cursor.objects.filter(resource__startswith=name).delete()

    def _gone(self, label: str, resource: str) -> int:
        return sum(record.deleted_at is not None for record in truth(self.store, label)[resource])

    def persist(self, label: str = "bondi", *, most: int = 60, pages: int | None = None) -> int:
        """Turn after turn, time passing between them, until nothing is left to do; answers how many it took."""
        for turn in range(1, most + 1):
            if self.turn(label, pages=pages):
                return turn
            self.time_passes(label)
        raise AssertionError(f"still not done after {most} turns: {self.differences(label)}")

    def turn(self, label: str = "bondi", *, pages: int | None = None) -> bool:
        """One turn; True when nothing is left and nothing failed."""
        with clinic_context(label):
            try:
                done = walk_run.run_sync(everything=False, pages=pages)
            except ClinikoError:
                return False
            hindered = Cursor.objects.exclude(failures=0, refused_at=None).exists()
            put_off = Reconciliation.objects.exclude(after_id=None).exists()
        return done and not hindered and not put_off

    def time_passes(self, label: str = "bondi") -> None:
        """Whatever waits for a time has waited long enough."""
        now = timezone.now()
        with clinic_context(label):
            Connection.objects.update(resume_at=now)
            Connection.objects.filter(lease_until__gt=now).update(lease_until=now - timedelta(seconds=1))
            Cursor.objects.exclude(failures=0, refused_at=None).update(due_at=now)
            Reconciliation.objects.exclude(after_id=None).update(due_at=now)
        KeyBudget.objects.update(blocked_until=None)

    def only(self, *lists: str, label: str = "bondi") -> None:
        """Of all lists these are due, and no other is for the time being."""
        with clinic_context(label):
            missing = {name for _, name in every_list()} - set(Cursor.objects.values_list("resource", flat=True))
            Cursor.objects.bulk_create(Cursor(resource=name) for name in missing)
            Cursor.objects.update(due_at=timezone.now() + FAR)
            Cursor.objects.filter(resource__in=lists).update(due_at=timezone.now())

    def fail_first(self, fault: Fault, resource: str, *, seconds: float = 0.0, skip: int = 0, hits: int = 12) -> None:
        """Every other request of this resource goes wrong: each page of a walk fails first and comes then."""
        sql = "INSERT INTO faults (account, fault, resource, spared, hits, seconds) VALUES ('bondi', ?, ?, ?, 1, ?)"
        with self.store.writing() as connection:
            rows = [(fault, resource, skip + 2 * place, seconds) for place in range(hits)]
            connection.executemany(sql, rows)

    def faults_left(self) -> int:
        with self.store.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM faults").fetchone()[0])

    def age(self, label: str = "bondi", *, minutes: int = 11) -> None:
        """All rows were written so many minutes earlier: no replica lags for so long."""
        with clinic_context(label):
            for resource in RESOURCES:
                rows = resource.model._default_manager.all()
                rows.update(written_at=timezone.now() - timedelta(minutes=minutes))

    def differences(self, label: str = "bondi", *, without: tuple[str, ...] = ()) -> Differences:
        return differences(self.store, self.url, label, without=without)

    def check(self, *, without: tuple[str, ...] = ()) -> None:
        """bondi's mirror is as its account, and nothing happened to harbour's."""
        for label, left_out in (("bondi", without), ("harbour", ())):
            found = self.differences(label, without=left_out)
            assert not found, f"{label}: {found}"
        assert json.dumps(held("harbour"), sort_keys=True) == self.harbour, "harbour's rows were written"
        with clinic_context("bondi"):
            assert not RefusedPayload.objects.exists()

    def edit_many(self, resource: str = "patients", *, count: int = OTHERS) -> None:
        """Edit records in the last half minute, each in a second of its own."""
        for place in range(count):
            at = format_time(timezone.now() - timedelta(seconds=40 - 3 * place))
            self.store.edit("bondi", resource, place_of(resource, place), **words_of(resource, "Edited"), updated_at=at)

    def edit_everything(self) -> None:
        for resource in MOVING:
            self.edit_many(resource)

    def spoil(self, resource: str = "patients") -> None:
        """Make the mirror wrong in ways that no tick would notice."""
        lost, bare, buried, beyond = [0, 5, 8], 4, 6, 7
        with clinic_context("bondi"):
            rows = BY_NAME[resource].model._default_manager.all()
            rows.filter(cliniko_id__in=[place_of(resource, place) for place in lost]).delete()
            rows.filter(cliniko_id=place_of(resource, bare)).update(payload={"id": "of no use"})
            rows.filter(cliniko_id=place_of(resource, buried)).update(deleted_at=timezone.now())
            row = rows.get(cliniko_id=place_of(resource, beyond))
            row.pk = place_of(resource, 70)
            row.save(force_insert=True)

    def compare(self, label: str = "bondi") -> None:
        """One comparison of everything that is imported, no matter what hinders it for a while."""
        with clinic_context(label):
            reconcile_all()
        self.persist(label)

    def compare_only(self, *resources: str) -> None:
        """A comparison of these is wanted."""
        with clinic_context("bondi"):
            for name in resources:
                request_comparison(BY_NAME[name])
