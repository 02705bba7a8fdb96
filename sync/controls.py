"""What people can tell the sync: sync now, compare everything, pause and resume."""

from django.db import transaction
from django.utils import timezone

from audit.log import Action, Actor, record
from sync.models import Connection
from sync.walk import schedule
from tenants import registry
from tenants.dates import at

State = Connection.State


class SyncUnavailable(Exception):
    """Cliniko can't be asked now. The message tells staff why."""


def sync_now() -> None:
    """Read every list at the next tick, without waiting for a backoff to end. Raises SyncUnavailable."""
    _require_ready()
    schedule.mark_all_due()
    registry.mark_due()


def compare() -> None:
    """Read every record again from the next tick on, and correct what differs. Raises SyncUnavailable."""
    _require_ready()
    schedule.reconcile_all()
    registry.mark_due()


def pause(*, by: Actor) -> bool:
    """Stop the sync until someone resumes it, and revoke a running worker's lease. Returns False if there is nothing to
    pause: no key, a refused key, or already paused. Raises AuditUnavailable."""
    with transaction.atomic():
        rows = Connection.objects.filter(id=1).exclude(sealed_key="")
        rows = rows.exclude(state__in=[State.PAUSED, State.KEY_INVALID])
        if not rows.update(
            state=State.PAUSED, state_since=timezone.now(), resume_at=None, lease_token=None, lease_until=None
        ):
            return False
        registry.mark_due()
        record(Action.SYNC_PAUSED, by=by)
    return True


def resume(*, by: Actor) -> bool:
    """Resume the sync where it stopped. Returns False if it wasn't paused. Raises AuditUnavailable."""
    with transaction.atomic():
        rows = Connection.objects.filter(id=1, state=State.PAUSED)
        if not rows.update(state=State.OK, state_since=timezone.now(), failures=0):
            return False
        schedule.mark_all_due()
        registry.mark_due()
        record(Action.SYNC_RESUMED, by=by)
    return True


def _require_ready() -> None:
    connection = Connection.objects.filter(id=1).first()
    if connection is None or not connection.sealed_key:
        raise SyncUnavailable("There is no API key yet. Enter one first.")
    if connection.state == State.PAUSED:
        raise SyncUnavailable("Sync is paused. Resume it first.")
    if connection.state == State.KEY_INVALID:
        raise SyncUnavailable("Cliniko doesn't accept the API key. Enter a new one to continue.")
    if connection.state == State.RATE_LIMITED and connection.resume_at and connection.resume_at > timezone.now():
        when = at(connection.resume_at, connection.time_zone)
        raise SyncUnavailable(f"Cliniko is limiting our requests. Sync continues automatically {when}.")
    Connection.objects.filter(id=1, state=State.UNREACHABLE).update(resume_at=None)
