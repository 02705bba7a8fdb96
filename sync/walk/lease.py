"""The lease that lets one process at a time sync a clinic. Every write renews it in its own transaction."""

import uuid
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from sync.models import Connection

LEASE = timedelta(seconds=90)  # longer than any single request may take; every page renews it


class LeaseHeld(Exception):
    """Another process is syncing this clinic right now."""


class LeaseLost(Exception):
    """The lease was revoked or ran out and another process has it: nothing more may be written."""


class Lease:
    """A fencing token for one clinic. It uses the database's clock, because workers' clocks may differ."""

    def __init__(self) -> None:
        self.token = uuid.uuid4()

    def __enter__(self) -> "Lease":
        free = Q(lease_until=None) | Q(lease_until__lt=Now())
        if not Connection.objects.filter(free, id=1).update(lease_token=self.token, lease_until=Now() + LEASE):
            raise LeaseHeld("Another process is syncing this clinic right now.")
        return self

    def renew(self) -> None:
        """Renew the lease and lock its row until the caller's transaction commits. Raises LeaseLost."""
        if not Connection.objects.filter(id=1, lease_token=self.token).update(lease_until=Now() + LEASE):
            raise LeaseLost("Another process has the lease on this clinic.")

    def __exit__(self, *_: object) -> None:
        Connection.objects.filter(id=1, lease_token=self.token).update(lease_token=None, lease_until=None)


def revoke() -> None:
    """Revoke the current clinic's lease; its holder's next write fails with LeaseLost."""
    Connection.objects.filter(id=1).update(lease_token=None, lease_until=None)
