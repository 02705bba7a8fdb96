"""A worker killed between any two of its statements: what it had not committed is gone, the next one makes it good."""

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
from tests.sync.walk.faults.conftest import set_per_page
from tests.sync.walk.faults.scenario import Cast, number
from tests.sync.walk.sandbox_records import differences

RESOURCE = "attendees"
OTHERS = tuple(BY_NAME.keys() - {RESOURCE})


class Killed(BaseException):
    """kill -9, as far as a process can do that to itself."""


class Killer:
    """Lets so many statements through and none after them; transactions that were open are rolled back."""

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
    """Run a worker that dies; False when it came to its end before."""
    killer = Killer(statements)
    with clinic_context("bondi"), database.execute_wrapper(killer):
        try:
            walk_run.run_sync(everything=False)
        except Killed:
            return True
    return False


def next_worker(cast: Cast) -> None:
    """Waits for the lease of the dead one, then does what is left."""
    with clinic_context("bondi"):
        if Connection.objects.exclude(lease_token=None).exists():
            with pytest.raises(LeaseHeld):
                walk_run.run_sync(everything=False)
    cast.time_passes()
    with clinic_context("bondi"):
        assert walk_run.run_sync(everything=False)


def prepare_import(cast: Cast) -> None:
    cast.mirrored(without=RESOURCE)
    cast.only(RESOURCE)


def prepare_tick(cast: Cast) -> None:
    cast.mirrored()
    cast.edit_many(RESOURCE)
    cast.store.delete("bondi", number(0), resource=RESOURCE, touch=False)
    cast.only(RESOURCE, f"{RESOURCE}/deleted")


def prepare_comparison(cast: Cast) -> None:
    cast.mirrored()
    cast.only()
    cast.spoil(RESOURCE)
    cast.compare_only(RESOURCE)


@pytest.mark.parametrize("prepare", [prepare_import, prepare_tick, prepare_comparison], ids=lambda each: each.__name__)
def test_a_worker_killed_at_any_statement_is_made_good_by_the_next(
    cast: Cast, prepare: Callable[[Cast], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_per_page(monkeypatch, 6)  # two pages: each statement costs a run
    prepare(cast)
    statements, died = 0, True
    while died:
        with transaction.atomic():
            died = killed_after(statements)
            if died:
                next_worker(cast)
            found = differences(cast.store, cast.url, "bondi", without=OTHERS)
            assert not found, f"killed after {statements} statements: {found}"
            transaction.set_rollback(True)
        statements += 3 if prepare is prepare_comparison else 1
    assert statements > 20
    with clinic_context("bondi"):
        assert walk_run.run_sync(everything=False)
    cast.check()


def test_a_worker_killed_again_and_again_still_comes_to_the_end(cast: Cast) -> None:
    deaths = 0
    while killed_after(60 + 5 * deaths):
        deaths += 1
        cast.time_passes()
    assert deaths > 3
    cast.check()
