"""Comparing the mirror with Cliniko id by id: weekly, on demand and after a gap. Ends equal, and counts what it mended.

Walks the list by id in pages. A record that differs is written by the same write as ever; one that the mirror holds
within the page's range of ids and Cliniko's page does not show is asked for by itself: gone, or merely not listed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import uniform

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Length
from django.utils import timezone

from sync.cliniko.client import Cliniko
from sync.cliniko.errors import Unreachable
from sync.models import Cursor, ExcludedField, Reconciliation
from sync.resources import RESOURCES, Listing, Resource
from sync.walk.keyset import BY_ID, WalkStep, ask, last_id
from sync.walk.lease import Lease
from sync.walk.single import fetch_single
from sync.walk.store import mark_deleted, next_sequence, write_page

WEEK = timedelta(days=7)
PUT_OFF = timedelta(hours=1)
SETTLES = timedelta(minutes=11)
REREAD_AT_ONCE = 20
LONGEST_ID = 20


@dataclass(frozen=True)
class ComparedPage:
    """One page's worth: its records, rows mended, records asked for by themselves, whether it was the last page, and
    how many of how many records are compared so far."""

    records: int
    mended: int
    reread: int
    done: bool
    compared: int
    total: int | None


def request(resource: Resource) -> None:
    """Compare this resource as soon as there is time; one that is under way goes on, and once more after it: what was
    compared already may be what changed."""
    begun = {"after_id": "", "due_at": timezone.now(), "total": None, "compared": 0, "mended": 0}
    _, made = Reconciliation.objects.get_or_create(resource=resource.name, defaults=begun)
    rows = Reconciliation.objects.filter(resource=resource.name)
    if not made and not rows.filter(after_id=None).update(**begun):
        rows.update(requested_again=True, due_at=timezone.now())  # one that was put off goes on now


def request_once_settled(resource: Resource) -> None:
    """Compare this resource now, and if that was done a moment ago, once what was written then has settled: of a row
    written lately Cliniko's older version is not believed. # Reference: sync/walk/store.py, SETTLED
    """
    now = timezone.now()
    state, _ = Reconciliation.objects.get_or_create(resource=resource.name, defaults={"due_at": now})
    due_at = max(now, state.finished_at + SETTLES) if state.finished_at else now
    rows = Reconciliation.objects.filter(resource=resource.name)
    rows.filter(due_at__gt=due_at).update(due_at=due_at)
    rows.exclude(after_id=None).update(requested_again=True)


def due_resources() -> list[Resource]:
    """The imported resources whose comparison is under way or due, in the order of the table."""
    now = timezone.now()
    imported = set(Cursor.objects.filter(refused_at=None).exclude(imported_at=None).values_list("resource", flat=True))
    due_at = dict(Reconciliation.objects.values_list("resource", "due_at"))
    found = []
    for resource in RESOURCES:
        if resource.name in imported and resource.name not in due_at:
            Reconciliation.objects.get_or_create(resource=resource.name, defaults={"due_at": now + _jittered(WEEK)})
        elif resource.name in imported and due_at[resource.name] <= now:
            _begin(resource)
            found.append(resource)
    return found


def _begin(resource: Resource) -> None:
    begun = {"after_id": "", "total": None, "compared": 0, "mended": 0}
    Reconciliation.objects.filter(resource=resource.name, after_id=None).update(**begun)


def postpone(resource: Resource) -> None:
    """Cliniko does not give this list now: go on later, from the same place."""
    Reconciliation.objects.filter(resource=resource.name).update(due_at=timezone.now() + PUT_OFF)


def compare_page(client: Cliniko, lease: Lease, resource: Resource, *, over: Callable[[], bool]) -> ComparedPage:
    """Compare the next page. What has to be asked for by itself is saved one by one, and waits once the turn is `over`.

    Raises the errors of sync.cliniko.errors, and LeaseLost.
    """
    state = Reconciliation.objects.get(resource=resource.name)
    cursor = Cursor.objects.get(resource=resource.name)
    after, mended_before = state.after_id or "0", state.mended
    sequence = next_sequence()
    page = ask(client, Listing(resource), cursor, WalkStep((f"id:>{after}",), BY_ID))
    Cursor.objects.filter(resource=resource.name).exclude(asks_hidden=cursor.asks_hidden).update(asks_hidden=False)
    reached = str(last_id(page)) if page.has_more else "9" * LONGEST_ID
    if int(reached) <= int(after):
        raise Unreachable("Cliniko's pages do not move on.")
    listed = [str(record.get("id")) for record in page.records]
    state.total = state.total or page.total
    with transaction.atomic():
        lease.renew()
        _save(state, mended=write_page(resource, page.records, sequence=sequence))
    missing = _missing(resource, after, reached, listed, sequence, asks_hidden=cursor.asks_hidden)
    reread = _reread_some(client, lease, resource, missing, state, listed, over=over)
    done = not page.has_more and reread == len(missing)
    if reread == len(missing):  # otherwise what is left of the range comes with the next page
        with transaction.atomic():
            lease.renew()
            _advance(state, reached, listed)
            if done:
                _finish(state)
    return ComparedPage(len(listed), state.mended - mended_before, reread, done, state.compared, state.total)


def _save(state: Reconciliation, *, mended: int) -> None:
    state.mended += mended
    state.save(update_fields=["total", "compared", "mended", "after_id"])


def _advance(state: Reconciliation, reached: str, listed: Sequence[str], *, mended: int = 0) -> None:
    """Everything up to here is compared."""
    passed = range(int(state.after_id or 0) + 1, int(reached) + 1)
    state.compared += sum(cliniko_id.isdecimal() and int(cliniko_id) in passed for cliniko_id in listed)
    state.after_id = reached
    _save(state, mended=mended)


def _finish(state: Reconciliation) -> None:
    again = Reconciliation.objects.filter(pk=state.pk, requested_again=True).update(requested_again=False)
    if not again:
        ExcludedField.objects.filter(resource=state.pk, restoring=True).delete()
    state.after_id, state.finished_at = None, timezone.now()
    state.due_at = state.finished_at + (SETTLES if again else _jittered(WEEK))
    state.save(update_fields=["after_id", "finished_at", "due_at"])


def _missing(
    resource: Resource, after: str, reached: str, listed: Sequence[str], sequence: int, *, asks_hidden: bool
) -> list[str]:
    """The ids of live rows in the range that Cliniko did not list, in order; those known from a later request aside."""
    rows = resource.model._default_manager.annotate(length=Length("cliniko_id")).filter(
        _between(after, reached), deleted_at=None, sequence__lt=sequence
    )
    if not asks_hidden:  # these are in lists of their own
        rows = rows.filter(**dict.fromkeys(resource.hidden))
    unlisted = rows.exclude(cliniko_id__in=listed).order_by("length", "cliniko_id")
    return list(unlisted.values_list("cliniko_id", flat=True))


def _between(after: str, reached: str) -> Q:
    """Ids above one and up to the other, compared as numbers though they are text, so that the index still serves."""
    found = Q()
    for length in range(len(after), len(reached) + 1):
        low = after if length == len(after) else "0" * length
        high = reached if length == len(reached) else "9" * length
        found |= Q(length=length, cliniko_id__gt=low, cliniko_id__lte=high)
    return found


def _reread_some(
    client: Cliniko,
    lease: Lease,
    resource: Resource,
    missing: Sequence[str],
    state: Reconciliation,
    listed: Sequence[str],
    *,
    over: Callable[[], bool],
) -> int:
    """How many were read again before the turn was `over`: one at the least, or a Cliniko that takes a whole turn for
    a page would be asked for ever."""
    for number, cliniko_id in enumerate(missing[:REREAD_AT_ONCE], start=1):
        _reread(client, lease, resource, cliniko_id, state, listed)
        if over():
            return number
    return min(len(missing), REREAD_AT_ONCE)


def _reread(
    client: Cliniko, lease: Lease, resource: Resource, cliniko_id: str, state: Reconciliation, listed: Sequence[str]
) -> None:
    """Ask for one record, and write it and that all up to it is compared in one transaction."""
    found = fetch_single(client, resource, cliniko_id)
    with transaction.atomic():
        lease.renew()
        if found.payload is None:
            mended = mark_deleted(resource, [cliniko_id], sequence=found.sequence)
        else:
            mended = write_page(resource, [found.payload], sequence=found.sequence)
        _advance(state, cliniko_id, listed, mended=mended)


def _jittered(pause: timedelta) -> timedelta:
    return pause * uniform(0.9, 1.1)  # noqa: S311 - jitter
