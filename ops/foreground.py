"""A clinic's sync in the foreground, with a progress bar on a terminal."""

import time
from contextlib import nullcontext
from typing import Any

from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from sync import mirror, queries
from sync.cliniko import RateLimited
from sync.connection import open_client
from sync.engine import restart_import
from sync.lease import Lease, LeaseHeld
from sync.models import Cursor, Run
from sync.resources import Resource
from sync.tasks import wake
from tenants.context import clinic_context

TURN_SECONDS = 0.5  # between two looks at a clinic that a worker is syncing, or that has to wait


class Bars:
    """One bar a resource, filled as its pages arrive."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def on_page(self, resource: Resource, cursor: Cursor) -> None:
        if resource.name not in self._tasks:
            self._tasks[resource.name] = self._progress.add_task(resource.label, total=cursor.total)
        held = resource.model._default_manager.count()
        total = cursor.total if cursor.imported_at is None else held
        self._progress.update(self._tasks[resource.name], completed=held, total=total)


def sync_in_foreground(label: str, *, full: bool, quiet: bool) -> dict[str, Any]:
    """Mirror the clinic until it is up to date and answer `{"state", "resources"}`, the resources by name with
    fetched, written and requests.

    Waits for a worker that holds the lease and for Cliniko's limit. Raises NoSuchClinic, and ClinikoError for what
    does not pass by itself.
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
        if full:
            _restart()
        started = Run.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        _run_until_done(Bars(progress) if shown else None)
        result = {"state": queries.status().state, "resources": _sums(started)}
    wake(clinic.schema_name)  # it works again: whatever kept the workers away is over
    return result


def _restart() -> None:
    open_client().close()  # without a usable key the import could not run: say so before anything is reset
    while True:
        try:
            with Lease():
                return restart_import()
        except LeaseHeld:
            time.sleep(TURN_SECONDS)


def _run_until_done(bars: Bars | None) -> None:
    while True:
        try:
            if mirror.run(on_page=bars.on_page if bars else lambda resource, cursor: None):
                return
        except LeaseHeld:
            time.sleep(TURN_SECONDS)
        except RateLimited as limit:
            time.sleep(max((limit.until - timezone.now()).total_seconds(), TURN_SECONDS))


def _sums(after_run: int) -> dict[str, dict[str, int]]:
    """What was done since, added up by resource; the turns of a worker that was at it meanwhile count too."""
    sums: dict[str, dict[str, int]] = {}
    for run in Run.objects.filter(pk__gt=after_run).order_by("pk"):
        for resource, counts in run.resources.items():
            held = sums.setdefault(resource, dict.fromkeys(counts, 0))
            for name, count in counts.items():
                held[name] += count
    return sums
