"""Whatever staff do in Cliniko and whatever happens to our workers, the mirror ends up equal to it.

`HYPOTHESIS_PROFILE=explore pytest -n 0 tests/sync/walk/test_state_machine.py` runs many random examples for minutes.
"""

import os
import sys
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import connection as database
from django.db import transaction
from hypothesis import HealthCheck
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from audit.log import OPS
from sandbox.cliniko.data.records import Record
from sandbox.cliniko.faults.kinds import Fault
from sync import excluded_fields
from sync.field_groups import BY_NAME as GROUPS
from sync.field_groups import FieldGroup
from sync.models import Cursor, ExcludedField
from sync.resources import BY_NAME, RESOURCES
from sync.walk.schedule import reconcile_all
from tenants.context import clinic_context
from tests.sync.walk.state_machine import Answer, Stage

PROFILES = {"ci": (8, 30, True), "explore": (100_000, 60, False)}
EXAMPLES, STEPS, DERANDOMIZE = PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "ci")]
CHANGING = ("patients", "medical_alerts", "individual_appointments", "group_appointments", "attendees")
AFTER_REPLICA_LAG = timedelta(minutes=11)
POSITIONS = st.integers(0, 9)
PAGES = st.integers(1, 6)
CHANGED_RESOURCES = st.sampled_from(CHANGING)
VERSION = "coalesce((payload->>'version')::int, 0)"
NEXT_WEEK = "2040-01-09T09:00:00Z"


class MirroredRow(NamedTuple):
    """The version of a record that the mirror has, and whether it is a tombstone."""

    version: int
    deleted: bool


class WorkingDay(RuleBasedStateMachine):
    """A working day at bondi. Harbour's account has the same ids and is never synced."""

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.stage.begin()
        self.savepoint = transaction.savepoint()
        self.store, self.clock = self.stage.store, self.stage.clock
        self.delayed: list[Answer] = []
        self.rows: dict[tuple[str, str], MirroredRow] = {}
        self.cursors: dict[str, Any] = {}
        self.harbour = self.stage.rows("harbour")

    @initialize(imported=st.booleans())
    def imported(self, imported: bool) -> None:
        if imported:
            self.stage.sync()

    # --- Staff ---

    def pick(self, resource: str, which: int) -> Record | None:
        live = self.store.all("bondi", resource)
        return live[which % len(live)] if live else None

    @rule(archived=st.booleans())
    def add_patient(self, archived: bool) -> None:
        self.store.add_patient("bondi", first_name="New", archived_at=self.store.timestamp() if archived else None)

    @rule(which=POSITIONS, what=st.sampled_from(["medical_alerts", "individual_appointments", "attendees"]))
    def add_to_patient(self, which: int, what: str) -> None:
        if not (patient := self.pick("patients", which)):
            return
        if what == "medical_alerts":
            self.store.add_alert("bondi", patient.id, "Latex allergy")
        elif what == "individual_appointments":
            self.store.add_appointment("bondi", patient.id, NEXT_WEEK)
        elif group := self.pick("group_appointments", which):
            self.store.add_attendee("bondi", group.id, patient.id)

    @rule()
    def add_class(self) -> None:
        self.store.add_class("bondi", NEXT_WEEK)

    @rule(which=POSITIONS, resource=CHANGED_RESOURCES, twice=st.booleans())
    def edit(self, which: int, resource: str, twice: bool) -> None:
        if found := self.pick(resource, which):
            for notes in ("once", "twice")[: 1 + twice]:
                self.store.edit("bondi", resource, found.id, notes=notes)

    @rule(which=POSITIONS, resource=st.sampled_from(CHANGING[:4]))
    def archive(self, which: int, resource: str) -> None:
        if found := self.pick(resource, which):
            change = self.store.unarchive if found.archived_at else self.store.archive
            change("bondi", found.id, resource=resource)

    @rule(which=POSITIONS)
    def cancel(self, which: int) -> None:
        if booked := self.pick("individual_appointments", which):
            self.store.cancel_appointment("bondi", booked.id)
        if attendee := self.pick("attendees", which):
            self.store.cancel_attendee("bondi", attendee.id)

    @rule(loser=POSITIONS, survivor=POSITIONS)
    def merge(self, loser: int, survivor: int) -> None:
        one, other = self.pick("patients", loser), self.pick("patients", survivor)
        if one and other and one != other:
            self.store.merge("bondi", one.id, other.id)

    @rule(which=POSITIONS, resource=CHANGED_RESOURCES, touch=st.booleans())
    def delete(self, which: int, resource: str, touch: bool) -> None:
        if found := self.pick(resource, which):
            self.store.delete("bondi", found.id, resource=resource, touch=touch)

    @rule(resource=CHANGED_RESOURCES, downwards=st.booleans())
    def edit_all_at_once(self, resource: str, downwards: bool) -> None:
        for each in sorted(self.store.all("bondi", resource), key=lambda one: one.id, reverse=downwards):
            self.store.edit("bondi", resource, each.id, notes="all")

    @rule(which=POSITIONS)
    def edit_at_harbour(self, which: int) -> None:
        found = self.store.all("harbour", "patients")
        self.store.edit("harbour", "patients", found[which % len(found)].id, notes="not yours")

    @rule(group=st.sampled_from([GROUPS["notes"], GROUPS["appointment_notes"]]), included=st.booleans())
    def include_or_exclude_fields(self, group: FieldGroup, included: bool) -> None:
        with clinic_context("bondi"):
            choose = excluded_fields.include if included else excluded_fields.exclude
            choose(group, by=OPS)

    @rule(seconds=st.sampled_from([1, 30, 90]))
    def time_passes(self, seconds: int) -> None:
        self.clock.pass_by(seconds)

    @rule()
    def long_time_passes(self) -> None:
        """Wait until no answer counts as a lagging replica's."""
        self.clock.pass_by(AFTER_REPLICA_LAG.total_seconds())
        with clinic_context("bondi"):
            for resource in RESOURCES:
                for row in resource.model._default_manager.all():
                    resource.model._default_manager.filter(pk=row.pk).update(
                        written_at=row.written_at - AFTER_REPLICA_LAG
                    )

    # --- Workers ---

    @rule(pages=PAGES, everything=st.booleans())
    def tick(self, pages: int, everything: bool) -> None:
        self.stage.slice(pages=pages, everything=everything)

    @rule(pages=PAGES, everything=st.booleans(), statements=st.integers(0, 120))
    def tick_until_killed(self, pages: int, everything: bool, statements: int) -> None:
        self.stage.slice(pages=pages, everything=everything, killed=statements)

    @rule(pages=PAGES)
    def compare(self, pages: int) -> None:
        with clinic_context("bondi"):
            reconcile_all()
        self.stage.slice(pages=pages)

    @rule(which=POSITIONS)
    def launch(self, which: int) -> None:
        if found := self.pick("patients", which):
            self.stage.launch(found.id)

    @rule(resource=CHANGED_RESOURCES, which=POSITIONS)
    def fetch_and_be_delayed(self, resource: str, which: int) -> None:
        found = self.pick(resource, which)
        self.store.clear_faults("bondi")
        self.delayed.append(self.stage.fetch(resource, found.id - 1 if found else 0))

    @precondition(lambda self: self.delayed)
    @rule(which=POSITIONS)
    def write_a_delayed_page(self, which: int) -> None:
        self.stage.write(self.delayed.pop(which % len(self.delayed)))

    @rule(
        resource=CHANGED_RESOURCES,
        which=POSITIONS,
        edited=st.booleans(),
        later=st.integers(0, 1),
        launched=st.booleans(),
    )
    def be_delayed_by_a_change(self, resource: str, which: int, edited: bool, later: int, launched: bool) -> None:
        """Write the answer from before a change after the answer from after it."""
        if not (found := self.pick(resource, which)):
            return
        self.fetch_and_be_delayed(resource, which)
        self.clock.pass_by(later)
        if edited:
            self.store.edit("bondi", resource, found.id, notes="in between")
        else:
            self.store.delete("bondi", found.id, resource=resource)
        if launched:
            self.stage.launch(found.patient_id or found.id)
        self.stage.slice(pages=40, everything=True)
        self.no_row_becomes_older()
        self.stage.write(self.delayed.pop())

    @rule(
        fault=st.sampled_from([Fault.SERVER_ERROR, Fault.TRUNCATED, Fault.RESET, Fault.LATE]),
        resource=st.sampled_from(["", *CHANGING, "patients/deleted"]),
        after=st.integers(0, 3),
    )
    def inject_fault(self, fault: Fault, resource: str, after: int) -> None:
        self.store.inject_fault("bondi", fault, resource=resource, after=after, seconds=20)

    # --- Invariants ---

    @invariant()
    def no_row_becomes_older(self) -> None:
        now = self._rows()
        for each, before in self.rows.items():
            assert now[each].version >= before.version, f"{each} became older"
            if before.deleted and not now[each].deleted:
                assert self.store.record("bondi", *each), f"{each} is live again though Cliniko deleted it"
        self.rows = now

    @invariant()
    def excluded_fields_are_not_stored(self) -> None:
        with clinic_context("bondi"):
            for excluded in ExcludedField.objects.filter(restoring=False):
                rows = BY_NAME[excluded.resource].model._default_manager.filter(payload__has_key=excluded.field)
                assert not rows.exists(), f"{excluded.resource} have {excluded.field}"

    @invariant()
    def cursors_never_move_back_or_pass_clinikos_clock(self) -> None:
        with clinic_context("bondi"):
            now = {each.resource: each.cursor for each in Cursor.objects.all() if each.cursor}
        for name, cursor in self.cursors.items():
            assert now[name] >= cursor, f"the cursor of {name} moved back"
        assert all(cursor <= self.clock() for cursor in now.values())
        self.cursors = now

    @invariant()
    def harbour_is_unchanged(self) -> None:
        assert self.stage.rows("harbour") == self.harbour

    def _rows(self) -> dict[tuple[str, str], MirroredRow]:
        schema = self.stage.schemas["bondi"]
        rows = "SELECT '{name}', cliniko_id, {version}, deleted_at IS NOT NULL FROM {table}"
        tables = ((name, f"{schema}.{BY_NAME[name].model._meta.db_table}") for name in CHANGING)
        with database.cursor() as cursor:
            cursor.execute(
                " UNION ALL ".join(rows.format(name=name, version=VERSION, table=table) for name, table in tables)
            )
            return {(name, each): MirroredRow(version, deleted) for name, each, version, deleted in cursor.fetchall()}

    # --- The end ---

    def teardown(self) -> None:
        try:
            if not self._is_failing():
                self.ends_equal()
        finally:
            transaction.savepoint_rollback(self.savepoint)

    def ends_equal(self) -> None:
        self.store.clear_faults("bondi")
        self.stage.sync()  # finishes what is in progress
        self.clock.pass_by(90)
        self.stage.sync()
        with clinic_context("bondi"):
            restoring = ExcludedField.objects.filter(restoring=True).exists()
        assert restoring or not self.stage.differences(), f"after a tick: {self.stage.differences()}"
        with clinic_context("bondi"):
            reconcile_all()
        self.stage.sync()
        with clinic_context("bondi"):
            assert not ExcludedField.objects.filter(restoring=True).exists()
        assert not self.stage.differences(), f"after a comparison: {self.stage.differences()}"
        self.no_row_becomes_older()
        self.harbour_is_unchanged()

    @staticmethod
    def _is_failing() -> bool:
        return sys.exc_info()[0] is not None


def test_mirror_ends_up_equal_to_cliniko_whatever_happens(stage: Stage) -> None:
    run_state_machine_as_test(
        type("WorkingDayOnStage", (WorkingDay,), {"stage": stage}),
        settings=profile(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=DERANDOMIZE,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
