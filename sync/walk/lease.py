"""The right to sync a clinic, held by one process at a time and checked in the transaction of every write."""

import uuid
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from sync.models import Connection

LEASE = timedelta(seconds=90)  # longer than any one request may take; renewed with every page


class LeaseHeld(Exception):
    """Another process syncs this clinic right now."""


class LeaseLost(Exception):
    """The lease ran out and another process has it: nothing more may be written."""


class Lease:
    """A fencing token. The clock is the database's, so that workers with wrong clocks agree."""

    def __init__(self) -> None:
        self.token = uuid.uuid4()

    def __enter__(self) -> "Lease":
        free = Q(lease_until=None) | Q(lease_until__lt=Now())
        if not Connection.objects.filter(free, id=1).update(lease_token=self.token, lease_until=Now() + LEASE):
            raise LeaseHeld("Another process is syncing this clinic right now.")
        return self

    def renew(self) -> None:
        """Prove the lease inside the caller's transaction and hold its row until commit. Raises LeaseLost."""
        if not Connection.objects.filter(id=1, lease_token=self.token).update(lease_until=Now() + LEASE):
            raise LeaseLost("The lease on this clinic went to another process.")

    def __exit__(self, *_: object) -> None:
        Connection.objects.filter(id=1, lease_token=self.token).update(lease_token=None, lease_until=None)


def revoke() -> None:
    """Whoever holds the lease of the clinic we are inside of writes nothing more."""
    Connection.objects.filter(id=1).update(lease_token=None, lease_until=None)
