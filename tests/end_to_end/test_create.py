"""A clinic is made whole or not at all, also when the command is killed."""

import signal
import sys
import time

import psycopg
import pytest

from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("stack")]

CREATE = ("manage.py", "clinic", "create", "coogee", "--name", "Coogee Physio", "--owner", "owner@coogee.example")


def schemas_and_labels(stack: Stack) -> tuple[set[str], set[str]]:
    with psycopg.connect(stack.database) as connection:
        schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'clinic%'").fetchall()
        labels = connection.execute("SELECT domain FROM tenants_domain").fetchall()
    return {row[0] for row in schemas}, {row[0] for row in labels}


def test_a_create_killed_at_any_moment_leaves_nothing_and_the_next_one_succeeds(stack: Stack) -> None:
    before = schemas_and_labels(stack)
    began = time.monotonic()
    stack.supervisor.run(sys.executable, "manage.py", "clinic", "list")
    starting = time.monotonic() - began
    killed = 0
    for moment in (0.9, 1.05, 1.2, 1.35, 1.5):  # from the first statement to about the commit
        child = stack.supervisor.start("create", sys.executable, *CREATE)
        time.sleep(starting * moment)
        child.process.send_signal(signal.SIGKILL)
        killed += child.process.wait() == -signal.SIGKILL
        stack.supervisor.forget(child)
        if schemas_and_labels(stack)[1] != before[1]:  # it was done before the signal came
            break
        assert schemas_and_labels(stack) == before
    assert killed
    if schemas_and_labels(stack) == before:
        stack.supervisor.run(sys.executable, *CREATE)
    schemas, labels = schemas_and_labels(stack)
    assert labels == before[1] | {"coogee"}
    assert len(schemas) == len(before[0]) + 1
