"""A worker killed between any two statements: what it hadn't committed is lost, and the next worker recovers."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from sync.models import Connection
from sync.resources import BY_NAME
from sync.walk import run as walk_run
from sync.walk.lease import LeaseHeld
from tenants.context import clinic_context
from tests.sync.comparison import differences
from tests.sync.walk.faults.conftest import set_page_size
from tests.sync.walk.faults.scenario import Scenario, id_at

RESOURCE = "attendees"
OTHERS = tuple(BY_NAME.keys() - {RESOURCE})


class Killed(BaseException):
    """Stands in for kill -9."""


class Killer:
    """Allows this many statements and none after them; open transactions are rolled back."""

    def __init__(self, statements: int) -> None:
        self.left = statements
        self.dead = False

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.dead:
            if sql.startswith(("ROLLBACK TO", "RELEASE")):
                return execute(sql, params, many, context)
            raise Killed
        if not self.left:
            self.dead = True
            if sql.startswith("RELEASE"):  # the commit of a page never arrived
                execute(sql.replace("RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT"), params, many, context)
            raise Killed
        self.left -= 1
        return execute(sql, params, many, context)


def killed_after(statements: int) -> bool:
    """Run a worker that dies after this many statements. Returns False if it finished before."""
    killer = Killer(statements)
    with clinic_context("bondi"), database.execute_wrapper(killer):
        try:
            walk_run.run_sync(everything=False)
        except Killed:
            return True
    return False


def next_worker(scenario: Scenario) -> None:
    """Run the next worker: wait for the dead worker's lease to expire, then finish."""
    with clinic_context("bondi"):
        if Connection.objects.exclude(lease_token=None).exists():
            with pytest.raises(LeaseHeld):
                walk_run.run_sync(everything=False)
    scenario.skip_waits()
    with clinic_context("bondi"):
        assert walk_run.run_sync(everything=False)


def prepare_import(scenario: Scenario) -> None:
    scenario.mark_imported(without=RESOURCE)
    scenario.only(RESOURCE)


def prepare_tick(scenario: Scenario) -> None:
    scenario.mark_imported()
    scenario.edit_many(RESOURCE)
    scenario.store.delete("bondi", id_at(0), resource=RESOURCE, touch=False)
    scenario.only(RESOURCE, f"{RESOURCE}/deleted")


def prepare_comparison(scenario: Scenario) -> None:
    scenario.mark_imported()
    scenario.only()
    scenario.corrupt(RESOURCE)
    scenario.compare_only(RESOURCE)


@pytest.mark.parametrize("prepare", [prepare_import, prepare_tick, prepare_comparison], ids=lambda each: each.__name__)
def test_next_worker_recovers_from_a_worker_killed_at_any_statement(
    scenario: Scenario, prepare: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_page_size(monkeypatch, 6)  # two pages: every statement costs a run
    prepare(scenario)
    statements, died = 0, True
    while died:
        with transaction.atomic():
            died = killed_after(statements)
            if died:
                next_worker(scenario)
            found = differences(scenario.store, scenario.url, "bondi", without=OTHERS)
            assert not found, f"killed after {statements} statements: {found}"
            transaction.set_rollback(True)
        statements += 3 if prepare is prepare_comparison else 1
    assert statements > 20
    with clinic_context("bondi"):
        assert walk_run.run_sync(everything=False)
    scenario.check()


def test_sync_finishes_though_workers_are_killed_repeatedly(scenario: Scenario) -> None:
    deaths = 0
    while killed_after(60 + 5 * deaths):
        deaths += 1
        scenario.skip_waits()
    assert deaths > 3
    scenario.check()
