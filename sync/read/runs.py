"""Read the history of sync runs."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.db.models.fields import BooleanField
from django.utils import timezone

from sync.models import Connection, SyncRun
from sync.resources import RESOURCES

_WROTE_SOMETHING = RawSQL("resources @? '$.*.written ? (@ > 0)'", [], output_field=BooleanField())


@dataclass(frozen=True)
class RunResource:
    """How many records of a list a run fetched, and how many of them were new or changed."""

    label: str
    fetched: int
    written: int


@dataclass(frozen=True)
class RunSummary:
    """`result` is a SyncRun.Result; `reason` says why the run stopped, "" if it didn't."""

    id: int
    started_at: datetime
    seconds: float
    result: str
    reason: str
    lists: tuple[RunResource, ...]


def recent(
    *, before: int | None = None, include_unchanged: bool = False, count: int = 25
) -> tuple[tuple[RunSummary, ...], bool]:
    """Return the latest runs, or those before the run with this id, and whether there are earlier ones. Leaves out runs
    and lists without changes unless `include_unchanged`, but never runs that stopped."""
    rows = SyncRun.objects.order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    if not include_unchanged:
        rows = rows.alias(changed=_WROTE_SOMETHING).filter(Q(changed=True) | Q(result=SyncRun.Result.STOPPED))
    found = list(rows[: count + 1])
    return tuple(_summary(run, include_unchanged) for run in found[:count]), len(found) > count


def latest() -> RunSummary | None:
    """Return the latest run with every list that it fetched something of, or None."""
    run = SyncRun.objects.order_by("-id").first()
    return _summary(run, include_unchanged=True) if run else None


def is_running() -> bool:
    """Return True while a worker holds the clinic's lease."""
    return Connection.objects.filter(id=1, lease_until__gt=timezone.now()).exclude(lease_token=None).exists()


def _summary(run: SyncRun, include_unchanged: bool) -> RunSummary:
    lists = (
        RunResource(resource.label, run.resources[resource.name]["fetched"], run.resources[resource.name]["written"])
        for resource in RESOURCES
        if resource.name in run.resources
    )
    return RunSummary(
        id=run.pk,
        started_at=run.started_at,
        seconds=((run.finished_at or run.started_at) - run.started_at).total_seconds(),
        result=run.result,
        reason=run.reason,
        lists=tuple(each for each in lists if each.written or (include_unchanged and each.fetched)),
    )
