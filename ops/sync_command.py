"""A clinic's sync in the foreground, with a progress bar on a terminal."""

import gc
import time
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ops.errors import require_work
from sync.cliniko.errors import RateLimited
from sync.connection.state import open_client, requests_left
from sync.models import Cursor, Reconciliation, SyncRun
from sync.read.status import ResourceStatus, by_resource, current
from sync.resources import Resource
from sync.tasks import mark_due
from sync.walk import run as walk_run
from sync.walk.lease import Lease, LeaseHeld, LeaseLost
from sync.walk.schedule import reconcile_all
from sync.walk.slice import WalkProgress as Walked
from tenants import metrics
from tenants.context import clinic_context

TURN_SECONDS = 0.5  # between two looks at a clinic that a worker is syncing, or that has to wait


class Bars:
    """One bar a resource, filled as its pages arrive."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def on_page(self, resource: Resource, walked: Walked) -> None:
        if resource.name not in self._tasks:
            self._tasks[resource.name] = self._progress.add_task(resource.label)
        # A tick knows how many there were when it began, and may find more on its way.
        total = None if walked.total is None else max(walked.total, walked.done)
        self._progress.update(self._tasks[resource.name], completed=walked.done, total=total)


def sync_in_foreground(label: str, *, full: bool, quiet: bool) -> dict[str, Any]:
    """Mirror the clinic until it is up to date and answer `{"state", "resources", "mended", "put_off"}`: the resources
    by name with fetched, written and requests; with `full` every record is compared, and `mended` tells by resource how
    many were not as in Cliniko. What Cliniko did not give to be compared makes the state `incomplete`, and `put_off`
    tells by resource when that goes on.

    Waits for a worker that holds the lease and for Cliniko's limit. Raises NoSuchClinic, Refused, and ClinikoError for
    what does not pass by itself.
    """
    progress = Progress(
        TextColumn("{task.description:>18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    shown = Console(stderr=True).is_terminal and not quiet
    with clinic_context(label) as clinic, progress if shown else nullcontext():
        require_work(clinic)
        if full:
            _compare()
        gc.freeze()  # what is loaded by now stays: not to be searched for garbage again and again during an import
        started = SyncRun.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        _run_until_done(Bars(progress) if shown else None)
        sums = _sums(started)
        mended = {name: counts.pop("mended") for name, counts in sums.items()}
        put_off = _put_off() if full else {}
        state = "incomplete" if put_off else current().state
        result = {"state": state, "resources": sums, "mended": mended if full else {}, "put_off": put_off}
    metrics.flush()
    mark_due(clinic.schema_name)  # it works again: whatever kept the workers away is over
    return result


def foresee(label: str, *, full: bool) -> dict[str, Any]:
    """What `sync_in_foreground` would do; Cliniko is not asked, and nothing is written.

    Answers `{"state", "requests_left", "resources"}`, the last by name with `asks_for` (`first copy`, `changes` or
    `all`) and how many records are `here`.

    Raises NoSuchClinic, Refused and, for a key that is missing or does not open, ClinikoError.
    """
    with clinic_context(label) as clinic:
        require_work(clinic)
        open_client().close()
        return {
            "state": current().state,
            "requests_left": requests_left(),
            "resources": {each.name: _foreseen(each, full=full) for each in by_resource()},
        }


def _foreseen(each: ResourceStatus, *, full: bool) -> dict[str, Any]:
    asked = "first copy" if not each.imported else "all" if full else "changes"
    return {"asks_for": asked, "here": each.here}


def _compare() -> None:
    open_client().close()  # without a usable key the import could not run: say so before anything is reset
    while True:
        try:
            with Lease():
                return reconcile_all()
        except LeaseHeld:
            time.sleep(TURN_SECONDS)


def _put_off() -> dict[str, datetime]:
    """When the comparisons that did not come to their end go on, by resource: not while their list rests."""
    rests_until = dict(Cursor.objects.exclude(refused_at=None).values_list("resource", "due_at"))
    under_way = Reconciliation.objects.exclude(after_id=None).order_by("resource")
    return {each.resource: max(each.due_at, rests_until.get(each.resource, each.due_at)) for each in under_way}


def _run_until_done(bars: Bars | None) -> None:
    everything = True
    while True:
        try:
            if walk_run.run_sync(
                everything=everything, on_page=bars.on_page if bars else lambda resource, walked: None
            ):
                return
            everything = False
        except (LeaseHeld, LeaseLost):
            time.sleep(TURN_SECONDS)
        except RateLimited as limit:
            everything = False
            time.sleep(max((limit.until - timezone.now()).total_seconds(), TURN_SECONDS))


def _sums(after_run: int) -> dict[str, dict[str, int]]:
    """What was done since, added up by resource; the turns of a worker that was at it meanwhile count too."""
    sums: dict[str, dict[str, int]] = {}
    for run in SyncRun.objects.filter(pk__gt=after_run).order_by("pk"):
        for resource, counts in run.resources.items():
            held = sums.setdefault(resource, dict.fromkeys(counts, 0))
            for name, count in counts.items():
                held[name] += count
    return sums
