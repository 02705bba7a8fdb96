"""Run an operators' action repeatedly, each time killed with SIGKILL before a later statement, and check what is left.

test_killed.py runs it as a process: `python -m tests.end_to_end.kill_points ACTION`. `create 1` kills before every
statement, which takes minutes; without the number, before every 61st. Prints the number of kills, and exits with status
0 if each left the clinic unchanged or finished and the action then succeeds.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django
import psycopg

django.setup()

from django.db import connection

from audit.log import OPS
from ops import lifecycle, onboarding, purge
from sync.resources import PATIENTS
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.payloads import patient_payload

MAX_STATEMENTS = 5000


def run_and_kill(number: int, action: Callable[[], object]) -> bool:
    """Run the action in a process killed before its `number`th statement; return False if it finished before that."""
    connection.close()
    child = os.fork()
    if not child:
        remaining = number

        def count(execute: Callable[..., Any], *args: Any) -> Any:
            nonlocal remaining
            remaining -= 1
            if remaining <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return execute(*args)

        with connection.execute_wrapper(count):
            action()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the action failed"
    return os.WIFSIGNALED(status)


def schemas() -> set[str]:
    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        rows = database.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'clinic%'").fetchall()
    return {row[0] for row in rows}


def rows() -> list[Any]:
    columns = "label, state, schema_name, closing_on, (SELECT array_agg(domain || is_primary ORDER BY domain)"
    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        return database.execute(
            f"SELECT {columns} FROM tenants_domain d WHERE d.tenant_id = c.id) FROM tenants_clinic c ORDER BY c.id"  # noqa: S608
        ).fetchall()


def other_rows() -> list[Any]:
    return [row for row in rows() if row[0] != "harbour"]


def check_atomic(action: Callable[[], object], *, step: int = 1) -> None:
    """Check that every kill leaves clinics and schemas unchanged."""
    before = rows(), schemas()
    number = 1
    while run_and_kill(number, action):
        assert (rows(), schemas()) == before, f"a kill before statement {number} left changes"
        number += step
        assert number < MAX_STATEMENTS
    assert (rows(), schemas()) != before
    sys.stdout.write(f"killed at {(number - 2) // step + 1} statements\n")


def prepare() -> None:
    for label in ("bondi", "harbour"):
        onboarding.create(label, name=label.title(), owner_email="owner@clinic.example")


def create() -> None:
    step = int(sys.argv[2]) if len(sys.argv) > 2 else 61
    check_atomic(
        lambda: onboarding.create("coogee", name="Coogee Physio", owner_email="owner@coogee.example"), step=step
    )


def rename() -> None:
    check_atomic(lambda: lifecycle.rename("bondi", "manly", by=OPS))


def suspend() -> None:
    check_atomic(lambda: lifecycle.suspend("bondi", reason="unpaid", by=OPS))


def purge_clinic() -> None:
    """Check that the next purge finishes a killed one, and that the clinic stays closed until then."""
    with clinic_context("harbour"):
        write_page(PATIENTS, [patient_payload("42")], sequence=next_sequence())
    lifecycle.suspend("harbour", reason="goodbye", by=OPS)
    unaffected = other_rows(), schemas() - {Clinic.objects.get(label="harbour").schema_name}
    number = 1
    while run_and_kill(number, lambda: purge.purge("harbour", by=OPS)):
        clinic = Clinic.objects.get(label="harbour")
        assert not clinic.is_working
        assert clinic.purged_at is None
        assert clinic.schema_name in schemas(), "the tables were dropped without a certificate"
        number += 1
    assert Clinic.objects.get(label="harbour").certificate["rows"]["sync_patient"] == 1
    assert (other_rows(), schemas()) == unaffected
    sys.stdout.write(f"killed at {number - 1} statements\n")


if __name__ == "__main__":
    {"prepare": prepare, "create": create, "rename": rename, "suspend": suspend, "purge": purge_clinic}[sys.argv[1]]()
