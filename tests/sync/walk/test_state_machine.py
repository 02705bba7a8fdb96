"""Whatever staff do in Cliniko, and whatever befalls our workers meanwhile, the mirror ends up equal to it.

`HYPOTHESIS_PROFILE=explore pytest -n 0 tests/sync/walk/test_state_machine.py` looks further, at random, for minutes.
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
EXAMPLES, STEPS, ALIKE = PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "ci")]
CHANGING = ("patients", "medical_alerts", "individual_appointments", "group_appointments", "attendees")
SETTLED = timedelta(minutes=11)
WHICH = st.integers(0, 9)
PAGES = st.integers(1, 6)
SOME = st.sampled_from(CHANGING)
VERSION = "coalesce((payload->>'version')::int, 0)"
NEXT_WEEK = "2040-01-09T09:00:00Z"


class Held(NamedTuple):
    """One row of the mirror: which version of its record it shows, and whether it is a tombstone."""

    version: int
    gone: bool


class Life(RuleBasedStateMachine):
    """A working day at bondi. Harbour's Cliniko has the same ids, and nobody syncs harbour."""

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.stage.begin()
        self.savepoint = transaction.savepoint()
        self.store, self.clock = self.stage.store, self.stage.clock
        self.late: list[Answer] = []
        self.held: dict[tuple[str, str], Held] = {}
        self.cursors: dict[str, Any] = {}
        self.harbour = self.stage.rows("harbour")

    @initialize(imported=st.booleans())
    def imported(self, imported: bool) -> None:
        if imported:
            self.stage.rest()

    # --- What staff do ---

    def one(self, resource: str, which: int) -> Record | None:
        live = self.store.all("bondi", resource)
        return live[which % len(live)] if live else None

    @rule(archived=st.booleans())
    def add_patient(self, archived: bool) -> None:
        self.store.add_patient("bondi", first_name="New", archived_at=self.store.timestamp() if archived else None)

    @rule(which=WHICH, what=st.sampled_from(["medical_alerts", "individual_appointments", "attendees"]))
    def add_to_patient(self, which: int, what: str) -> None:
        if not (patient := self.one("patients", which)):
            return
        if what == "medical_alerts":
            self.store.add_alert("bondi", patient.id, "Latex allergy")
        elif what == "individual_appointments":
            self.store.add_appointment("bondi", patient.id, NEXT_WEEK)
        elif lesson := self.one("group_appointments", which):
            self.store.add_attendee("bondi", lesson.id, patient.id)

    @rule()
    def add_class(self) -> None:
        self.store.add_class("bondi", NEXT_WEEK)

    @rule(which=WHICH, resource=SOME, twice=st.booleans())
    def edit(self, which: int, resource: str, twice: bool) -> None:
        if found := self.one(resource, which):
            for notes in ("once", "twice")[: 1 + twice]:
                self.store.edit("bondi", resource, found.id, notes=notes)

    @rule(which=WHICH, resource=st.sampled_from(CHANGING[:4]))
    def archive(self, which: int, resource: str) -> None:
        if found := self.one(resource, which):
            change = self.store.unarchive if found.archived_at else self.store.archive
            change("bondi", found.id, resource=resource)

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        if booked := self.one("individual_appointments", which):
            self.store.cancel_appointment("bondi", booked.id)
        if place := self.one("attendees", which):
            self.store.cancel_attendee("bondi", place.id)

    @rule(loser=WHICH, survivor=WHICH)
    def merge(self, loser: int, survivor: int) -> None:
        one, other = self.one("patients", loser), self.one("patients", survivor)
        if one and other and one != other:
            self.store.merge("bondi", one.id, other.id)

    @rule(which=WHICH, resource=SOME, touch=st.booleans())
    def delete(self, which: int, resource: str, touch: bool) -> None:
        if found := self.one(resource, which):
            self.store.delete("bondi", found.id, resource=resource, touch=touch)

    @rule(resource=SOME, downwards=st.booleans())
    def edit_all_at_once(self, resource: str, downwards: bool) -> None:
        for each in sorted(self.store.all("bondi", resource), key=lambda one: one.id, reverse=downwards):
            self.store.edit("bondi", resource, each.id, notes="all")

    @rule(which=WHICH)
    def edit_at_harbour(self, which: int) -> None:
        found = self.store.all("harbour", "patients")
        self.store.edit("harbour", "patients", found[which % len(found)].id, notes="not yours")

    @rule(group=st.sampled_from([GROUPS["notes"], GROUPS["appointment_notes"]]), kept=st.booleans())
    def choose_what_is_kept(self, group: FieldGroup, kept: bool) -> None:
        with clinic_context("bondi"):
            choose = excluded_fields.include if kept else excluded_fields.exclude
            choose(group, by=OPS)

    @rule(seconds=st.sampled_from([1, 30, 90]))
    def time_passes(self, seconds: int) -> None:
        self.clock.pass_by(seconds)

    @rule()
    def long_time_passes(self) -> None:
        """Long enough that no answer of a replica is thought to lag."""
        self.clock.pass_by(SETTLED.total_seconds())
        with clinic_context("bondi"):
            for resource in RESOURCES:
                for row in resource.model._default_manager.all():
                    resource.model._default_manager.filter(pk=row.pk).update(written_at=row.written_at - SETTLED)

    # --- What workers do, and what befalls them ---

    @rule(pages=PAGES, everything=st.booleans())
    def tick(self, pages: int, everything: bool) -> None:
        self.stage.turn(pages=pages, everything=everything)

    @rule(pages=PAGES, everything=st.booleans(), statements=st.integers(0, 120))
    def tick_until_killed(self, pages: int, everything: bool, statements: int) -> None:
        self.stage.turn(pages=pages, everything=everything, killed=statements)

    @rule(pages=PAGES)
    def compare(self, pages: int) -> None:
        with clinic_context("bondi"):
            reconcile_all()
        self.stage.turn(pages=pages)

    @rule(which=WHICH)
    def launch(self, which: int) -> None:
        if found := self.one("patients", which):
            self.stage.launch(found.id)

    @rule(resource=SOME, which=WHICH)
    def ask_and_be_held_up(self, resource: str, which: int) -> None:
        found = self.one(resource, which)
        self.store.clear_faults("bondi")
        self.late.append(self.stage.ask(resource, found.id - 1 if found else 0))

    @precondition(lambda self: self.late)
    @rule(which=WHICH)
    def write_what_was_held_up(self, which: int) -> None:
        self.stage.write(self.late.pop(which % len(self.late)))

    @rule(resource=SOME, which=WHICH, edited=st.booleans(), later=st.integers(0, 1), launched=st.booleans())
    def be_held_up_by_a_change(self, resource: str, which: int, edited: bool, later: int, launched: bool) -> None:
        """The answer of before the change is written after the one of after it."""
        if not (found := self.one(resource, which)):
            return
        self.ask_and_be_held_up(resource, which)
        self.clock.pass_by(later)
        if edited:
            self.store.edit("bondi", resource, found.id, notes="meanwhile")
        else:
            self.store.delete("bondi", found.id, resource=resource)
        if launched:
            self.stage.launch(found.patient_id or found.id)
        self.stage.turn(pages=40, everything=True)
        self.no_row_goes_back()
        self.stage.write(self.late.pop())

    @rule(
        fault=st.sampled_from([Fault.SERVER_ERROR, Fault.TRUNCATED, Fault.RESET, Fault.LATE]),
        resource=st.sampled_from(["", *CHANGING, "patients/deleted"]),
        after=st.integers(0, 3),
    )
    def inject_fault(self, fault: Fault, resource: str, after: int) -> None:
        self.store.inject_fault("bondi", fault, resource=resource, after=after, seconds=20)

    # --- What holds in between ---

    @invariant()
    def no_row_goes_back(self) -> None:
        now = self._rows()
        for each, before in self.held.items():
            assert now[each].version >= before.version, f"{each} went back"
            if before.gone and not now[each].gone:
                assert self.store.record("bondi", *each), f"{each} is shown again though it is gone"
        self.held = now

    @invariant()
    def nothing_that_is_left_out_is_held(self) -> None:
        with clinic_context("bondi"):
            for chosen in ExcludedField.objects.filter(restoring=False):
                rows = BY_NAME[chosen.resource].model._default_manager.filter(payload__has_key=chosen.field)
                assert not rows.exists(), f"{chosen.resource} hold {chosen.field}"

    @invariant()
    def no_cursor_goes_back_or_ahead_of_clinikos_clock(self) -> None:
        with clinic_context("bondi"):
            now = {each.resource: each.cursor for each in Cursor.objects.all() if each.cursor}
        for name, cursor in self.cursors.items():
            assert now[name] >= cursor, f"the cursor of {name} went back"
        assert all(cursor <= self.clock() for cursor in now.values())
        self.cursors = now

    @invariant()
    def harbour_is_as_it_was(self) -> None:
        assert self.stage.rows("harbour") == self.harbour

    def _rows(self) -> dict[tuple[str, str], Held]:
        schema = self.stage.schemas["bondi"]
        rows = "SELECT '{name}', cliniko_id, {version}, deleted_at IS NOT NULL FROM {table}"
        tables = ((name, f"{schema}.{BY_NAME[name].model._meta.db_table}") for name in CHANGING)
        with database.cursor() as cursor:
            cursor.execute(
                " UNION ALL ".join(rows.format(name=name, version=VERSION, table=table) for name, table in tables)
            )
            return {(name, each): Held(version, gone) for name, each, version, gone in cursor.fetchall()}

    # --- What holds in the end ---

    def teardown(self) -> None:
        try:
            if not self._is_failing():
                self.ends_equal()
        finally:
            transaction.savepoint_rollback(self.savepoint)

    def ends_equal(self) -> None:
        self.store.clear_faults("bondi")
        self.stage.rest()  # ends what is under way
        self.clock.pass_by(90)
        self.stage.rest()
        with clinic_context("bondi"):
            waits = ExcludedField.objects.filter(restoring=True).exists()
        assert waits or self.stage.differences() == [], "after a quiet tick"
        with clinic_context("bondi"):
            reconcile_all()
        self.stage.rest()
        with clinic_context("bondi"):
            assert not ExcludedField.objects.filter(restoring=True).exists()
        assert self.stage.differences() == [], "after a comparison"
        self.no_row_goes_back()
        self.harbour_is_as_it_was()

    @staticmethod
    def _is_failing() -> bool:
        return sys.exc_info()[0] is not None


def test_the_mirror_ends_equal_to_cliniko_whatever_happens(stage: Stage) -> None:
    run_state_machine_as_test(
        type("LifeHere", (Life,), {"stage": stage}),
        settings=profile(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=ALIKE,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
