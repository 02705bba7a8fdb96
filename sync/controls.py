"""What people may tell the sync: to look now, to compare everything, to pause and to go on."""

from django.db import transaction
from django.utils import timezone

from audit.log import Action, Actor, record
from sync.models import Connection
from sync.walk import schedule
from tenants import registry
from tenants.dates import at

State = Connection.State


class SyncUnavailable(Exception):
    """Cliniko is not asked now; the message is a sentence for staff."""


def sync_now() -> None:
    """Ask for every list at the next tick, also of a Cliniko that did not answer a moment ago. Raises NotNow."""
    _require_ready()
    schedule.mark_all_due()
    registry.mark_due()


def compare() -> None:
    """Read every record again from the next tick on, and mend what differs. Raises NotNow."""
    _require_ready()
    schedule.reconcile_all()
    registry.mark_due()


def pause(*, by: Actor) -> bool:
    """Stop copying until somebody lets it go on; a worker under way writes nothing more. False when there is nothing to
    pause: no key, one that Cliniko refuses, or paused already. Raises AuditUnavailable."""
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
    """Go on copying from where it was. False when it was not paused. Raises AuditUnavailable.

    What else may hinder is found out by asking Cliniko.
    """
    with transaction.atomic():
        rows = Connection.objects.filter(id=1, state=State.PAUSED)
        if not rows.update(state=State.OK, state_since=timezone.now(), failures=0):
            return False
        schedule.mark_all_due()
        registry.mark_due()
        record(Action.SYNC_RESUMED, by=by)
    return True


def _require_ready() -> None:
    held = Connection.objects.filter(id=1).first()
    if held is None or not held.sealed_key:
        raise SyncUnavailable("There is no key to Cliniko yet. Enter one first.")
    if held.state == State.PAUSED:
        raise SyncUnavailable("Copying is paused. Resume it first.")
    if held.state == State.KEY_INVALID:
        raise SyncUnavailable("Cliniko refuses the key. Enter a new one, and copying goes on by itself.")
    if held.state == State.RATE_LIMITED and held.resume_at and held.resume_at > timezone.now():
        when = at(held.resume_at, held.time_zone)
        raise SyncUnavailable(
            f"Cliniko is limiting our requests. Nobody has to do anything: we go on by ourselves, {when}."
        )
    Connection.objects.filter(id=1, state=State.UNREACHABLE).update(resume_at=None)
