"""Sync one clinic in the foreground, with progress bars on a terminal."""

import gc
import time
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ops.errors import require_working
from sync.cliniko.errors import RateLimited
from sync.connection.state import open_client, requests_left
from sync.models import Cursor, Reconciliation, SyncRun
from sync.read.status import by_resource, current
from sync.resources import Resource
from sync.tasks import mark_due
from sync.walk import run as walk_run
from sync.walk.lease import Lease, LeaseHeld, LeaseLost
from sync.walk.schedule import reconcile_all
from sync.walk.slice import WalkProgress
from tenants import metrics
from tenants.context import clinic_context

POLL_SECONDS = 0.5  # between two tries while a worker has the lease or Cliniko's limit is reached


class ProgressBars:
    """One bar per resource, updated as its pages arrive."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def on_page(self, resource: Resource, walk: WalkProgress) -> None:
        if resource.name not in self._tasks:
            self._tasks[resource.name] = self._progress.add_task(resource.label)
        # The total of a tick is counted when it starts, and records may arrive during it.
        total = None if walk.total is None else max(walk.total, walk.done)
        self._progress.update(self._tasks[resource.name], completed=walk.done, total=total)


def sync_in_foreground(label: str, *, full: bool, quiet: bool) -> dict[str, Any]:
    """Sync the clinic until it is up to date and return `{"state", "resources", "mended", "put_off"}`.

    `resources` has fetched, written and requests by name. With `full` every record is compared: `mended` counts those
    that differed from Cliniko. If Cliniko doesn't give all of them, `state` is `incomplete`, and `put_off` has the time
    of the next try by resource.

    Waits for a worker's lease and for Cliniko's rate limit. Raises NoSuchClinic, Refused, and ClinikoError for errors
    that waiting doesn't solve.
    """
    progress = Progress(
        TextColumn("{task.description:>18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    visible = Console(stderr=True).is_terminal and not quiet
    with clinic_context(label) as clinic, progress if visible else nullcontext():
        require_working(clinic)
        if full:
            _start_comparison()
        gc.freeze()  # an import allocates a lot: keep the collector from rescanning what is already loaded
        last_run = SyncRun.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        _run_until_done(ProgressBars(progress) if visible else None)
        totals = _totals_since(last_run)
        mended = {name: counts.pop("mended") for name, counts in totals.items()}
        put_off = _postponed() if full else {}
        state = "incomplete" if put_off else current().state
        result = {"state": state, "resources": totals, "mended": mended if full else {}, "put_off": put_off}
    metrics.flush()
    mark_due(clinic.schema_name)  # Cliniko works: clear the workers' backoff
    return result


def preview_sync(label: str, *, full: bool) -> dict[str, Any]:
    """Return what `sync_in_foreground` would do, without a request to Cliniko or a write.

    The result is `{"state", "requests_left", "resources"}`; each resource has `asks_for` (`first copy`, `changes` or
    `all`) and `here`, the number of records mirrored. Raises NoSuchClinic, Refused, and ClinikoError for a missing key
    or one that can't be decrypted.
    """
    with clinic_context(label) as clinic:
        require_working(clinic)
        open_client().close()
        return {
            "state": current().state,
            "requests_left": requests_left(),
            "resources": {
                each.name: {
                    "asks_for": "first copy" if not each.imported else "all" if full else "changes",
                    "here": each.stored,
                }
                for each in by_resource()
            },
        }


def _start_comparison() -> None:
    open_client().close()  # raise for an unusable key before anything is reset
    while True:
        try:
            with Lease():
                return reconcile_all()
        except LeaseHeld:
            time.sleep(POLL_SECONDS)


def _postponed() -> dict[str, datetime]:
    """Return by resource when its unfinished comparison continues: not before Cliniko is asked for that list again."""
    list_due = dict(Cursor.objects.exclude(refused_at=None).values_list("resource", "due_at"))
    unfinished = Reconciliation.objects.exclude(after_id=None).order_by("resource")
    return {each.resource: max(each.due_at, list_due.get(each.resource, each.due_at)) for each in unfinished}


def _run_until_done(bars: ProgressBars | None) -> None:
    everything = True
    while True:
        try:
            if walk_run.run_sync(everything=everything, on_page=bars.on_page if bars else lambda resource, walk: None):
                return
            everything = False
        except (LeaseHeld, LeaseLost):
            time.sleep(POLL_SECONDS)
        except RateLimited as limit:
            everything = False
            time.sleep(max((limit.until - timezone.now()).total_seconds(), POLL_SECONDS))


def _totals_since(last_run: int) -> dict[str, dict[str, int]]:
    """Return the counts of later runs by resource, including those of a worker that ran at the same time."""
    totals: dict[str, dict[str, int]] = {}
    for run in SyncRun.objects.filter(pk__gt=last_run).order_by("pk"):
        for resource, counts in run.resources.items():
            total = totals.setdefault(resource, dict.fromkeys(counts, 0))
            for name, count in counts.items():
                total[name] += count
    return totals
