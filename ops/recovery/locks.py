"""One restore or purge of a clinic at a time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from ops.errors import Refused
from tenants.models import Clinic

_PATIENCE_SECONDS = 5  # the server may not know yet that the process of a killed restore is gone
_WORK, _LOAD = "hashtext('sidechart restore')", "hashtext('sidechart load')"


@contextmanager
def alone(clinic: Clinic) -> Iterator[None]:
    """Be the only one who replaces or removes what is held of this clinic. Raises Refused.

    The lock is on a connection of its own, as migrating closes the usual one; the server ends it when this process
    dies.
    """
    lock = connection.copy()
    try:
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while not _locks(lock, clinic):
            if time.monotonic() > give_up:
                raise Refused(f"A restore or purge of {clinic.label} is under way: wait until it is done.")
            time.sleep(0.2)
        yield
    finally:
        lock.close()


def load_lock(clinic: Clinic) -> str:
    """SQL that psql loads a backup behind: it may still be committing when the process that fed it is killed."""
    return f"SELECT pg_advisory_xact_lock({_LOAD}, {clinic.pk});"


def _locks(lock: BaseDatabaseWrapper, clinic: Clinic) -> bool:
    with lock.cursor() as cursor:
        cursor.execute(
            f"SELECT pg_try_advisory_lock({_WORK}, %s) AND pg_try_advisory_xact_lock({_LOAD}, %s)",
            [clinic.pk, clinic.pk],
        )
        return bool(cursor.fetchone()[0])
