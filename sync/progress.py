"""How far the first import has come, and how long it will take by what it took so far."""

import math
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from sync.models import Connection, Cursor, Run
from sync.resources import RESOURCES, Resource

MEASURED_OVER = timedelta(minutes=15)


@dataclass(frozen=True)
class Progress:
    """`copied` of `total` records. `seconds_left` is None while nothing was measured yet, or while Cliniko is not being
    asked."""

    copied: int
    total: int
    seconds_left: int | None

    @property
    def percent(self) -> int:
        return min(99, 100 * self.copied // self.total) if self.total else 0

    @property
    def sentence(self) -> str:
        """`About 4 minutes left.`, or nothing when that is not known."""
        if self.seconds_left is None:
            return ""
        minutes = math.ceil(self.seconds_left / 60)
        if minutes <= 1:
            return "Less than a minute left."
        return f"About {minutes} minutes left." if minutes < 90 else f"About {round(minutes / 60)} hours left."


def of_import() -> Progress | None:
    """None when there is no first import to wait for: no key yet, or all that the key may read is here."""
    held = Connection.objects.filter(id=1).exclude(sealed_key="").first()
    if held is None:
        return None
    cursors = {cursor.resource: cursor for cursor in Cursor.objects.filter(refused_at=None)}
    wanted = [(resource, cursors[resource.name]) for resource in RESOURCES if resource.name in cursors]
    if wanted and all(cursor.imported_at for _, cursor in wanted):
        return None
    counted = [_counted(resource, cursor) for resource, cursor in wanted]
    copied, total = sum(done for done, _ in counted), sum(of for _, of in counted)
    rate = _records_a_second(held) if held.state == Connection.State.OK else None
    return Progress(copied, total, math.ceil((total - copied) / rate) if rate else None)


def _counted(resource: Resource, cursor: Cursor) -> tuple[int, int]:
    """How many records of a list are copied, and of how many; a walk after the import counts what changed alone."""
    if cursor.imported_at:
        here = resource.model._default_manager.count()
        return here, here
    return cursor.walked, max(cursor.walked, cursor.total or 0)


def _records_a_second(held: Connection) -> float | None:
    """As measured lately with this key, waits for its budget and for other clinics' turns included."""
    since = max(held.connected_at or timezone.now(), timezone.now() - MEASURED_OVER)
    recent = list(Run.objects.filter(started_at__gte=since).exclude(finished_at=None).order_by("started_at"))
    if not recent:
        return None
    fetched = sum(did.get("fetched", 0) for run in recent for did in run.resources.values())
    last = recent[-1].finished_at or recent[-1].started_at
    took = (last - recent[0].started_at).total_seconds()
    return fetched / took if fetched and took > 0 else None
