"""Runs one of ops' actions again and again, each time killed -9 before a later statement, and looks at what is left.

Started by tests/end_to_end/test_killed.py as a process of its own: `python -m tests.end_to_end.kill_points ACTION`.
`create 1` kills before every statement, which takes minutes; without
the number it is every 29th. Says how many kills there were, and ends with status 0 when every one left the clinic as it
was or as it was to be, and the action itself then went through.
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

Look = Callable[[], Any]
MOST = 5000


def killed_at(number: int, action: Callable[[], object]) -> bool:
    """Whether the action, in a process that is killed before its `number`th statement, got that far."""
    connection.close()
    child = os.fork()
    if not child:
        left = number

        def count(execute: Callable[..., Any], *args: Any) -> Any:
            nonlocal left
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return execute(*args)

        with connection.execute_wrapper(count):
            action()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the action failed by itself"
    return os.WIFSIGNALED(status)


def schemas() -> set[str]:
    with psycopg.connect(os.environ["DATABASE_URL"]) as looking:
        rows = looking.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'clinic%'").fetchall()
    return {row[0] for row in rows}


def rows() -> list[Any]:
    wanted = "label, state, schema_name, closing_on, (SELECT array_agg(domain || is_primary ORDER BY domain)"
    with psycopg.connect(os.environ["DATABASE_URL"]) as looking:
        return looking.execute(
            f"SELECT {wanted} FROM tenants_domain d WHERE d.tenant_id = c.id) FROM tenants_clinic c ORDER BY c.id"  # noqa: S608
        ).fetchall()


def others() -> list[Any]:
    return [row for row in rows() if row[0] != "harbour"]


def whole_or_not_at_all(action: Callable[[], object], *, step: int = 1) -> None:
    """Every kill leaves clinics and schemas as they were."""
    before = rows(), schemas()
    number = 1
    while killed_at(number, action):
        assert (rows(), schemas()) == before, f"killed before statement {number} something was left"
        number += step
        assert number < MOST
    assert (rows(), schemas()) != before
    sys.stdout.write(f"killed at {(number - 2) // step + 1} moments\n")


def prepare() -> None:
    for label in ("bondi", "harbour"):
        onboarding.create(label, name=label.title(), owner_email="owner@clinic.example")


def create() -> None:
    step = int(sys.argv[2]) if len(sys.argv) > 2 else 29
    whole_or_not_at_all(
        lambda: onboarding.create("coogee", name="Coogee Physio", owner_email="owner@coogee.example"), step=step
    )


def rename() -> None:
    whole_or_not_at_all(lambda: lifecycle.rename("bondi", "manly", by=OPS))


def suspend() -> None:
    whole_or_not_at_all(lambda: lifecycle.suspend("bondi", reason="unpaid", by=OPS))


def end() -> None:
    """A purge that was killed is ended by the next one, and until then nobody gets in."""
    with clinic_context("harbour"):
        write_page(PATIENTS, [patient_payload("42")], sequence=next_sequence())
    lifecycle.suspend("harbour", reason="goodbye", by=OPS)
    beside = others(), schemas() - {Clinic.objects.get(label="harbour").schema_name}
    number = 1
    while killed_at(number, lambda: purge.purge("harbour", by=OPS)):
        clinic = Clinic.objects.get(label="harbour")
        assert not clinic.is_working
        assert clinic.purged_at is None
        assert clinic.schema_name in schemas(), "the tables went without a certificate"
        number += 1
    assert Clinic.objects.get(label="harbour").certificate["rows"]["sync_patient"] == 1
    assert (others(), schemas()) == beside
    sys.stdout.write(f"killed at {number - 1} moments\n")


if __name__ == "__main__":
    {"prepare": prepare, "create": create, "rename": rename, "suspend": suspend, "purge": end}[sys.argv[1]]()
