"""Advisory locks: one restore or purge of a clinic at a time. Why not django-pglock: docs/decisions/0029."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from ops.errors import Refused
from tenants.models import Clinic

_TIMEOUT = 5  # seconds, until the server notices that a killed restore's process is gone
_WORK, _LOAD = "hashtext('sidechart restore')", "hashtext('sidechart load')"


@contextmanager
def clinic_lock(clinic: Clinic) -> Iterator[None]:
    """Hold an advisory lock so that only one restore or purge of this clinic runs at a time. Raises Refused.

    It's a session lock on a connection of its own, because migrating a schema closes the default one. The server
    releases it when this process dies.
    """
    own = connection.copy()
    try:
        deadline = time.monotonic() + _TIMEOUT
        while True:
            with own.cursor() as cursor:
                # The second one isn't held: it's free once no psql is loading a backup of this clinic.
                cursor.execute(
                    f"SELECT pg_try_advisory_lock({_WORK}, %s) AND pg_try_advisory_xact_lock({_LOAD}, %s)",
                    [clinic.pk, clinic.pk],
                )
                if cursor.fetchone()[0]:
                    break
            if time.monotonic() > deadline:
                raise Refused(f"A restore or purge of {clinic.label} is already running: wait until it's done.")
            time.sleep(0.2)
        yield
    finally:
        own.close()


def load_lock_sql(clinic: Clinic) -> str:
    """Return the SQL that psql takes its lock with: it may still be committing after its parent process is killed."""
    return f"SELECT pg_advisory_xact_lock({_LOAD}, {clinic.pk});"
