"""Two small clinics in one sandbox, with the same ids but different people, and a worker that retries until done."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from sandbox.cliniko.api.serializers import serialize
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
from tests.sync.comparison import Differences, account_records, api_of, differences, mirror_of

PER_PAGE = 4
PATIENTS, OTHERS = 10, 9  # three pages of each resource, the last with one record
CHANGING = ("patients", "medical_alerts", "individual_appointments", "group_appointments", "attendees")
OWNERS = (3, 6, 7)  # the positions of the patients who have all other records
FIRST_GROUP = 100  # the position of the first group appointment: all appointments share one id sequence
TOMORROW = timedelta(days=1)


def id_at(position: int) -> str:
    """Return the id at this position, counted from 0, in every resource and account."""
    return str(FIRST_ID + 7 * position)


def records(label: str, *, patients: int = PATIENTS, others: int = OTHERS) -> list[Record]:
    """Return one account's patients and their records, days old, each from a second of its own."""
    found = [
        _record(label, "patients", position, blank_patient() | {"first_name": label}) for position in range(patients)
    ]
    for position in range(others):
        at = format_time(timezone.now() + timedelta(days=position))
        named = {"starts_at": at, "ends_at": at, "notes": label}
        whose, booking = OWNERS[position % len(OWNERS)], {"booking": id_at(FIRST_GROUP + position)}
        found += [
            _record(label, "medical_alerts", position, {"name": label}, patient=whose),
            _record(label, "individual_appointments", position, blank_appointment() | named, patient=whose),
            _record(label, "group_appointments", FIRST_GROUP + position, blank_class() | named),
            _record(label, "attendees", position, blank_attendee() | booking, patient=whose),
        ]
    return found


def _record(label: str, resource: str, position: int, body: dict[str, Any], *, patient: int | None = None) -> Record:
    at = format_time(timezone.now() - timedelta(days=3, seconds=-position))
    whose = None if patient is None else int(id_at(patient))
    return Record(label, resource, int(id_at(position)), at, at, body, patient_id=whose)


def add_account_records(store: Store, label: str) -> None:
    """Add the account's records, with some archived, merged, deleted and cancelled."""
    store.add_many(records(label))
    store.archive(label, id_at(3))
    store.merge(label, id_at(8), id_at(7))
    store.delete(label, id_at(9))
    store.archive(label, id_at(1), resource="medical_alerts")
    store.cancel_appointment(label, id_at(1))
    store.archive(label, id_at(2), resource="individual_appointments")
    store.archive(label, id_at(FIRST_GROUP + 1), resource="group_appointments")
    store.cancel_attendee(label, id_at(1))
    long_ago = format_time(timezone.now() - timedelta(days=2))
    with store.writing() as connection:
        connection.execute(
            "UPDATE records SET updated_at = ? WHERE account = ? AND updated_at > ?", (long_ago, label, long_ago)
        )


def id_of(resource: str, position: int) -> str:
    """Return the id at this position of one resource."""
    return id_at(position + (FIRST_GROUP if resource == "group_appointments" else 0))


def edit_of(resource: str, text: str) -> dict[str, Any]:
    """Return the fields of a visible edit."""
    return {{"patients": "first_name", "medical_alerts": "name"}.get(resource, "notes"): text}


def every_list() -> list[tuple[str, str]]:
    """Return each resource's name with the name of each of its lists."""
    return [(each.name, listing.name) for each in RESOURCES for listing in listings(each)]


@dataclass
class Scenario(Sandbox):
    """bondi has to survive the faults; harbour is mirrored and must stay unchanged."""

    harbour: str = field(default="")
    on_response: list[Callable[[str], None]] = field(default_factory=list)  # called in the server with the path

    def store_key(self, label: str) -> None:
        """Store the clinic's key without checking it with Cliniko."""
        with clinic_context(label) as clinic:
            sealed = seal(ApiKey(self.store.key(label)), clinic=clinic.schema_name, keys=settings.SEALING_KEYS)
            shard = ApiKey(self.store.key(label)).shard
            known = {"sealed_key": sealed, "shard": shard, "account_subdomain": label, "connected_at": timezone.now()}
            Connection.objects.update_or_create(id=1, defaults=known | {"state": "ok", "key_state": "ok"})

    def fill(self, label: str) -> None:
        """Mirror the account without requests."""
        api, there = api_of(self.store, self.url, label), account_records(self.store, label)
        with clinic_context(label):
            for resource in RESOURCES:
                live = [serialize(record, api) for record in there[resource.name] if not record.deleted_at]
                write_page(resource, live, sequence=next_sequence())
        if label == "harbour":
            self.harbour = json.dumps(mirror_of(label), sort_keys=True)

    def sync(self, label: str) -> None:
        """Run one tick's sync to its end."""
        with clinic_context(label):
            assert walk_run.run_sync()

    def mark_imported(self, label: str = "bondi", *, without: str | tuple[str, ...] = ()) -> None:
        """Mirror the account and mark every list as just imported, except those of the resources `without`."""
        self.fill(label)
        now = timezone.now()
        walked = {"imported_at": now, "checked_at": now, "cursor": now - timedelta(seconds=60)}
        with clinic_context(label):
            Cursor.objects.bulk_create(
                Cursor(resource=listing, total=self._count_deleted(label, each) if "/" in listing else None, **walked)
                for each, listing in every_list()
            )
            Reconciliation.objects.bulk_create(
                Reconciliation(resource=each.name, due_at=now + TOMORROW) for each in RESOURCES
            )
            for name in filter(None, (without,) if isinstance(without, str) else without):
                BY_NAME[name].model._default_manager.all().delete()
                Cursor.objects.filter(resource__startswith=name).delete()

    def _count_deleted(self, label: str, resource: str) -> int:
        return sum(record.deleted_at is not None for record in account_records(self.store, label)[resource])

    def sync_until_done(self, label: str = "bondi", *, max_slices: int = 60, pages: int | None = None) -> int:
        """Run slices, skipping the waits between them, until nothing is left to do. Returns how many it took."""
        for count in range(1, max_slices + 1):
            if self.slice(label, pages=pages):
                return count
            self.skip_waits(label)
        raise AssertionError(f"still not done after {max_slices} slices: {self.differences(label)}")

    def slice(self, label: str = "bondi", *, pages: int | None = None) -> bool:
        """Run one slice. Returns True when nothing is left and nothing failed."""
        with clinic_context(label):
            try:
                done = walk_run.run_sync(everything=False, pages=pages)
            except ClinikoError:
                return False
            failed = Cursor.objects.exclude(failures=0, refused_at=None).exists()
            postponed = Reconciliation.objects.exclude(after_id=None).exists()
        return done and not failed and not postponed

    def skip_waits(self, label: str = "bondi") -> None:
        """End every wait: backoff, rate limit, lease, postponed comparison."""
        now = timezone.now()
        with clinic_context(label):
            Connection.objects.update(resume_at=now)
            Connection.objects.filter(lease_until__gt=now).update(lease_until=now - timedelta(seconds=1))
            Cursor.objects.exclude(failures=0, refused_at=None).update(due_at=now)
            Reconciliation.objects.exclude(after_id=None).update(due_at=now)
        KeyBudget.objects.update(blocked_until=None)

    def only(self, *lists: str, label: str = "bondi") -> None:
        """Make these lists due and no others."""
        with clinic_context(label):
            missing = {name for _, name in every_list()} - set(Cursor.objects.values_list("resource", flat=True))
            Cursor.objects.bulk_create(Cursor(resource=name) for name in missing)
            Cursor.objects.update(due_at=timezone.now() + TOMORROW)
            Cursor.objects.filter(resource__in=lists).update(due_at=timezone.now())

    def fail_first(self, fault: Fault, resource: str, *, seconds: float = 0.0, skip: int = 0, times: int = 12) -> None:
        """Make every other request for this resource fail: each page of a walk fails once, then succeeds."""
        sql = "INSERT INTO faults (account, fault, resource, spared, hits, seconds) VALUES ('bondi', ?, ?, ?, 1, ?)"
        with self.store.writing() as connection:
            rows = [(fault, resource, skip + 2 * position, seconds) for position in range(times)]
            connection.executemany(sql, rows)

    def faults_left(self) -> int:
        with self.store.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM faults").fetchone()[0])

    def backdate_rows(self, label: str = "bondi", *, minutes: int = 11) -> None:
        """Backdate every row's writing, by default to more than a replica's lag."""
        with clinic_context(label):
            for resource in RESOURCES:
                rows = resource.model._default_manager.all()
                rows.update(written_at=timezone.now() - timedelta(minutes=minutes))

    def differences(self, label: str = "bondi", *, without: tuple[str, ...] = ()) -> Differences:
        return differences(self.store, self.url, label, without=without)

    def check(self, *, without: tuple[str, ...] = ()) -> None:
        """Assert that bondi's mirror equals its account and that harbour's is unchanged."""
        for label, excluded in (("bondi", without), ("harbour", ())):
            found = self.differences(label, without=excluded)
            assert not found, f"{label}: {found}"
        assert json.dumps(mirror_of("harbour"), sort_keys=True) == self.harbour, "harbour's rows were written"
        with clinic_context("bondi"):
            assert not RefusedPayload.objects.exists()

    def edit_many(self, resource: str = "patients", *, count: int = OTHERS) -> None:
        """Edit records within the last minute, each in a second of its own."""
        for position in range(count):
            at = format_time(timezone.now() - timedelta(seconds=40 - 3 * position))
            self.store.edit("bondi", resource, id_of(resource, position), **edit_of(resource, "Edited"), updated_at=at)

    def edit_everything(self) -> None:
        for resource in CHANGING:
            self.edit_many(resource)

    def corrupt(self, resource: str = "patients") -> None:
        """Corrupt the mirror in ways that no tick notices."""
        missing, stale, deleted, unknown = [0, 5, 8], 4, 6, 7
        with clinic_context("bondi"):
            rows = BY_NAME[resource].model._default_manager.all()
            rows.filter(cliniko_id__in=[id_of(resource, position) for position in missing]).delete()
            rows.filter(cliniko_id=id_of(resource, stale)).update(payload={"id": "stale"})
            rows.filter(cliniko_id=id_of(resource, deleted)).update(deleted_at=timezone.now())
            row = rows.get(cliniko_id=id_of(resource, unknown))
            row.pk = id_of(resource, 70)
            row.save(force_insert=True)

    def compare(self, label: str = "bondi") -> None:
        """Compare everything that is imported, retrying until done."""
        with clinic_context(label):
            reconcile_all()
        self.sync_until_done(label)

    def compare_only(self, *resources: str) -> None:
        """Request a comparison of these resources."""
        with clinic_context("bondi"):
            for name in resources:
                request_comparison(BY_NAME[name])
