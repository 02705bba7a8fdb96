"""The read door for what the sync did when: its runs, in words for staff."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.db.models.fields import BooleanField
from django.utils import timezone

from sync.models import Connection, SyncRun
from sync.resources import RESOURCES

_CHANGED_SOMETHING = RawSQL("resources @? '$.*.written ? (@ > 0)'", [], output_field=BooleanField())


@dataclass(frozen=True)
class RunResource:
    """What one run read of one list, and what of it was new or other than before."""

    label: str
    fetched: int
    written: int


@dataclass(frozen=True)
class RunSummary:
    """`result` is one of Run.Result; `reason` says why it stopped, and is empty when it did not."""

    id: int
    started_at: datetime
    seconds: float
    result: str
    reason: str
    lists: tuple[RunResource, ...]


def recent(
    *, before: int | None = None, all_of_them: bool = False, count: int = 25
) -> tuple[tuple[RunSummary, ...], bool]:
    """The latest runs, or those before the one of this id, and whether there are earlier ones. Runs that found nothing
    new and met no trouble are left out unless asked for, as are lists that showed nothing new."""
    rows = SyncRun.objects.order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    if not all_of_them:
        rows = rows.alias(changed=_CHANGED_SOMETHING).filter(Q(changed=True) | Q(result=SyncRun.Result.STOPPED))
    found = list(rows[: count + 1])
    return tuple(_told(run, all_of_it=all_of_them) for run in found[:count]), len(found) > count


def latest() -> RunSummary | None:
    run = SyncRun.objects.order_by("-id").first()
    return _told(run) if run else None


def is_running() -> bool:
    """Whether a worker has the clinic's lease right now."""
    return Connection.objects.filter(id=1, lease_until__gt=timezone.now()).exclude(lease_token=None).exists()


def _told(run: SyncRun, *, all_of_it: bool = True) -> RunSummary:
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
        lists=tuple(each for each in lists if each.written or (all_of_it and each.fetched)),
    )
