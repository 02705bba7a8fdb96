"""Reconciliation: comparing the mirror with Cliniko id by id, weekly, on demand and after a gap.

Walks the list by id in pages. Records that differ are written as usual. A mirrored record that Cliniko's page leaves
out, though its id is in the page's range, is fetched singly: it is deleted, or merely not listed.
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
from sync.models import Cursor, ExcludedField, Reconciliation
from sync.resources import RESOURCES, Listing, Resource
from sync.walk.keyset import SORT_BY_ID, PageQuery, fetch, last_id
from sync.walk.lease import Lease
from sync.walk.single import fetch_single
from sync.walk.store import mark_deleted, next_sequence, write_page

WEEK = timedelta(days=7)
RETRY_INTERVAL = timedelta(hours=1)
SETTLE_TIME = timedelta(minutes=11)  # a little more than REPLICA_LAG in sync/walk/store.py
MAX_REREADS = 20  # a page
MAX_ID_DIGITS = 20


@dataclass(frozen=True)
class ComparedPage:
    """The result of comparing one page.

    `mended` rows were corrected, `reread` records were fetched singly, and `compared` of `total` records are done.
    """

    records: int
    mended: int
    reread: int
    done: bool
    compared: int
    total: int | None


def request_comparison(resource: Resource) -> None:
    """Compare this resource as soon as possible.

    A comparison under way continues and is then repeated: the part that is done may be what changed.
    """
    begun = {"after_id": "", "due_at": timezone.now(), "total": None, "compared": 0, "mended": 0}
    _, created = Reconciliation.objects.get_or_create(resource=resource.name, defaults=begun)
    rows = Reconciliation.objects.filter(resource=resource.name)
    if not created and not rows.filter(after_id=None).update(**begun):
        rows.update(requested_again=True, due_at=timezone.now())  # resumes a postponed one


def request_comparison_once_settled(resource: Resource) -> None:
    """Compare this resource now; if that was done just now, once the rows written then have settled.

    Cliniko's older version of a recently written row is ignored. # Reference: sync/walk/store.py, REPLICA_LAG
    """
    now = timezone.now()
    state, _ = Reconciliation.objects.get_or_create(resource=resource.name, defaults={"due_at": now})
    due_at = max(now, state.finished_at + SETTLE_TIME) if state.finished_at else now
    rows = Reconciliation.objects.filter(resource=resource.name)
    rows.filter(due_at__gt=due_at).update(due_at=due_at)
    rows.exclude(after_id=None).update(requested_again=True)


def due_resources() -> list[Resource]:
    """Start or continue the comparisons that are due; return their imported resources in import order."""
    now = timezone.now()
    imported = set(Cursor.objects.filter(refused_at=None).exclude(imported_at=None).values_list("resource", flat=True))
    due_at = dict(Reconciliation.objects.values_list("resource", "due_at"))
    found = []
    for resource in RESOURCES:
        if resource.name in imported and resource.name not in due_at:
            Reconciliation.objects.get_or_create(resource=resource.name, defaults={"due_at": now + _in_a_week()})
        elif resource.name in imported and due_at[resource.name] <= now:
            idle = Reconciliation.objects.filter(resource=resource.name, after_id=None)
            idle.update(after_id="", total=None, compared=0, mended=0)
            found.append(resource)
    return found


def postpone(resource: Resource) -> None:
    """Continue this comparison later from the same place, because Cliniko can't list the records now."""
    Reconciliation.objects.filter(resource=resource.name).update(due_at=timezone.now() + RETRY_INTERVAL)


def compare_page(client: Cliniko, lease: Lease, resource: Resource, *, is_over: Callable[[], bool]) -> ComparedPage:
    """Compare the next page. Records fetched singly are saved one by one; once the slice `is_over`, the rest waits.

    Raises ClinikoError and LeaseLost.
    """
    state = Reconciliation.objects.get(resource=resource.name)
    cursor = Cursor.objects.get(resource=resource.name)
    after, mended_before = state.after_id or "0", state.mended
    sequence = next_sequence()
    page = fetch(client, Listing(resource), cursor, PageQuery((f"id:>{after}",), SORT_BY_ID))
    Cursor.objects.filter(resource=resource.name).exclude(asks_hidden=cursor.asks_hidden).update(asks_hidden=False)
    last = str(last_id(page, after=int(after))) if page.has_more else "9" * MAX_ID_DIGITS
    listed = [str(record.get("id")) for record in page.records]
    state.total = state.total or page.total
    with transaction.atomic():
        lease.renew()
        _save(state, mended=write_page(resource, page.records, sequence=sequence))
    missing = _missing(resource, after, last, listed, sequence, asks_hidden=cursor.asks_hidden)
    reread = _reread_some(client, lease, resource, missing, state, listed, is_over=is_over)
    done = not page.has_more and reread == len(missing)
    if reread == len(missing):  # otherwise the rest of the range comes with the next page
        with transaction.atomic():
            lease.renew()
            _advance(state, last, listed)
            if done:
                _finish(state)
    return ComparedPage(len(listed), state.mended - mended_before, reread, done, state.compared, state.total)


def _save(state: Reconciliation, *, mended: int) -> None:
    state.mended += mended
    state.save(update_fields=["total", "compared", "mended", "after_id"])


def _advance(state: Reconciliation, last: str, listed: Sequence[str], *, mended: int = 0) -> None:
    """Save that everything up to `last` is compared."""
    passed = range(int(state.after_id or 0) + 1, int(last) + 1)
    state.compared += sum(cliniko_id.isdecimal() and int(cliniko_id) in passed for cliniko_id in listed)
    state.after_id = last
    _save(state, mended=mended)


def _finish(state: Reconciliation) -> None:
    again = Reconciliation.objects.filter(pk=state.pk, requested_again=True).update(requested_again=False)
    if not again:
        ExcludedField.objects.filter(resource=state.pk, restoring=True).delete()
    state.after_id, state.finished_at = None, timezone.now()
    state.due_at = state.finished_at + (SETTLE_TIME if again else _in_a_week())
    state.save(update_fields=["after_id", "finished_at", "due_at"])


def _missing(
    resource: Resource, after: str, last: str, listed: Sequence[str], sequence: int, *, asks_hidden: bool
) -> list[str]:
    """Return the ids of live rows in the range that Cliniko didn't list, in order. Ignores rows from later requests."""
    rows = resource.model._default_manager.annotate(length=Length("cliniko_id")).filter(
        _between(after, last), deleted_at=None, sequence__lt=sequence
    )
    if not asks_hidden:  # hidden records are in lists of their own
        rows = rows.filter(**dict.fromkeys(resource.hidden))
    unlisted = rows.exclude(cliniko_id__in=listed).order_by("length", "cliniko_id")
    return list(unlisted.values_list("cliniko_id", flat=True))


def _between(after: str, last: str) -> Q:
    """Match text ids above `after` and up to `last`, compared as numbers, so that the index is still used."""
    found = Q()
    for length in range(len(after), len(last) + 1):
        low = after if length == len(after) else "0" * length
        high = last if length == len(last) else "9" * length
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
    is_over: Callable[[], bool],
) -> int:
    """Fetch missing records singly until the slice `is_over`; return how many.

    At least one: otherwise a Cliniko so slow that a page takes a whole slice would never get past it.
    """
    for number, cliniko_id in enumerate(missing[:MAX_REREADS], start=1):
        found = fetch_single(client, resource, cliniko_id)
        with transaction.atomic():  # the record together with the progress
            lease.renew()
            if found.payload is None:
                mended = mark_deleted(resource, [cliniko_id], sequence=found.sequence)
            else:
                mended = write_page(resource, [found.payload], sequence=found.sequence)
            _advance(state, cliniko_id, listed, mended=mended)
        if is_over():
            return number
    return min(len(missing), MAX_REREADS)


def _in_a_week() -> timedelta:
    return WEEK * uniform(0.9, 1.1)  # noqa: S311 - jitter
