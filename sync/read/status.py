"""The read door for how the mirror stands: its state, and a sentence that says who can do what."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from sync import models
from sync.connection import state as connection_state
from sync.resources import RESOURCES, Resource, listings
from tenants.dates import at

State, KeyState = models.Connection.State, models.Connection.KeyState
IMPORTING = "importing"
MEASURED_OVER = timedelta(minutes=15)
_ENDINGS = ("deleted", "archived", "cancelled")


@dataclass(frozen=True)
class SyncStatus:
    """`state` is one of Connection.State or `importing`; `sentence` tells staff what is wrong and who can do what, and
    is empty when all is well; `key_state` and `key_sentence` say the same of the key alone, which a pause or an outage
    does not hide; `until` is when Cliniko is asked again, `since` when the state began."""

    state: str
    sentence: str
    key_state: str
    key_sentence: str
    since: datetime
    until: datetime | None
    checked_at: datetime | None
    importing: bool

    @property
    def needs_action(self) -> bool:
        """Whether it stays so until an owner or admin does something."""
        return self.state in (State.NO_KEY, State.KEY_INVALID, State.KEY_FORBIDDEN, State.PAUSED)


@dataclass(frozen=True)
class ResourceStatus:
    """How one resource stands: live records here, and how many of how many its latest walk has seen.

    `sentence` says why it is not complete, and is empty when it is.
    """

    name: str
    label: str
    here: int
    walked: int
    total: int | None
    imported: bool
    checked_at: datetime | None
    refused: bool
    sentence: str

    @property
    def percent(self) -> int | None:
        """How much of the first import is done, 0 to 100; None when that is not known."""
        if self.imported:
            return 100
        return min(99, 100 * self.walked // self.total) if self.total else None


def current() -> SyncStatus:
    """How the mirror stands as a whole, which is how its patients stand."""
    held = connection_state.load()
    cursor = models.Cursor.objects.filter(resource="patients").first()
    importing = bool(held.sealed_key) and (cursor is None or cursor.imported_at is None)
    state = IMPORTING if importing and held.state == State.OK else held.state
    return SyncStatus(
        state=state,
        sentence=_sentence(state, held),
        key_state=held.key_state,
        key_sentence=_key_sentence(held.key_state, held),
        since=held.state_since,
        until=held.resume_at,
        checked_at=cursor.checked_at if cursor else None,
        importing=importing,
    )


def patient_count() -> int:
    """How many live patients the mirror holds."""
    return models.Patient.objects.filter(deleted_at=None).count()


def by_resource() -> tuple[ResourceStatus, ...]:
    """How each resource stands, in the order of an import."""
    cursors = {cursor.resource: cursor for cursor in models.Cursor.objects.all()}
    compared = dict(models.Reconciliation.objects.exclude(after_id=None).values_list("resource", "compared"))
    return tuple(_resource(each, cursors, compared.get(each.name)) for each in RESOURCES)


def _resource(resource: Resource, cursors: dict[str, models.Cursor], compared: int | None) -> ResourceStatus:
    cursor = cursors.get(resource.name)
    return ResourceStatus(
        name=resource.name,
        label=resource.label,
        here=resource.model._default_manager.filter(deleted_at=None).count(),
        walked=cursor.walked if cursor else 0,
        total=cursor.total if cursor else None,
        imported=cursor is not None and cursor.imported_at is not None,
        checked_at=cursor.checked_at if cursor else None,
        refused=cursor is not None and cursor.refused_at is not None,
        sentence=_why_incomplete(resource, cursor, compared) or _not_told(resource, cursors),
    )


def _not_told(resource: Resource, cursors: dict[str, models.Cursor]) -> str:
    """What the lists beside the main one would tell, of those that rest."""
    beside = {
        listing.subset: cursors[listing.name]
        for listing in listings(resource, asks_hidden=cursors[resource.name].asks_hidden)
        if listing.subset in _ENDINGS and listing.name in cursors
    }
    resting = {subset: cursor for subset, cursor in beside.items() if cursor.refused_at}
    failing = [subset for subset, cursor in beside.items() if cursor.failures and not cursor.refused_at]
    if failing and not resting:
        return f"Cliniko does not tell at the moment which of them were {_either(failing)}. We keep trying."
    if not resting:
        return ""
    never_read = [subset for subset, cursor in resting.items() if subset != "deleted" and cursor.imported_at is None]
    missing = f" Those {_either(never_read)} before the first copy are not here." if never_read else ""
    return (
        f"Cliniko does not tell this key which of them were {_either(list(resting))}: "
        f"that is noticed in the weekly comparison.{missing}"
    )


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _why_incomplete(resource: Resource, cursor: models.Cursor | None, compared: int | None) -> str:
    if cursor is not None and cursor.refused_at:
        return (
            f"The Cliniko user who made the API key may not read {resource.label}. Somebody who manages users in "
            "Cliniko can change that user's role; we ask again every few hours."
        )
    if cursor is not None and cursor.failures:
        return f"Cliniko does not give the list of {resource.label} at the moment. We keep trying."
    if cursor is None or cursor.imported_at is None:
        return "Being copied for the first time." if cursor and cursor.after_id else "Waits for its turn."
    return f"Being compared with Cliniko: {compared} so far." if compared is not None else ""


def _sentence(state: str, held: models.Connection) -> str:
    since = at(held.state_since, held.time_zone)
    until = at(held.resume_at or timezone.now(), held.time_zone)
    return {
        State.NO_KEY: _key_sentence(KeyState.MISSING, held),
        IMPORTING: f"{held.patient_word.capitalize()}s are being copied from Cliniko for the first time. "
        "Everyone can be opened meanwhile.",
        State.RATE_LIMITED: "Cliniko is limiting our requests. Nobody has to do anything: "
        f"we go on by ourselves, {until}.",
        State.KEY_INVALID: _key_sentence(KeyState.INVALID, held),
        State.KEY_FORBIDDEN: _key_sentence(KeyState.FORBIDDEN, held),
        State.UNREACHABLE: f"Cliniko cannot be reached; it stopped answering {since}. "
        "We keep trying; what you see is our latest copy.",
        State.PAUSED: "Copying from Cliniko is paused. An owner or admin can resume it. "
        f"{_key_sentence(held.key_state, held)}".strip(),
    }.get(state, "")


def _key_sentence(key_state: str, held: models.Connection) -> str:
    return {
        KeyState.MISSING: "Sidechart is not connected to Cliniko yet. "
        "An owner or admin can enter the clinic's API key.",
        KeyState.INVALID: f"Cliniko refuses the API key …{held.key_last4}. An owner or admin can replace it.",
        KeyState.FORBIDDEN: f"The Cliniko user who made the API key may not read {held.patient_word}s. "
        "An administrator can change that user's role in Cliniko.",
    }.get(KeyState(key_state), "")


@dataclass(frozen=True)
class ImportProgress:
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


def import_progress() -> ImportProgress | None:
    """None when there is no first import to wait for: no key yet, or all that the key may read is here."""
    held = models.Connection.objects.filter(id=1).exclude(sealed_key="").first()
    if held is None:
        return None
    cursors = {cursor.resource: cursor for cursor in models.Cursor.objects.filter(refused_at=None)}
    wanted = [(resource, cursors[resource.name]) for resource in RESOURCES if resource.name in cursors]
    if wanted and all(cursor.imported_at for _, cursor in wanted):
        return None
    counted = [_counted(resource, cursor) for resource, cursor in wanted]
    copied, total = sum(done for done, _ in counted), sum(of for _, of in counted)
    rate = _records_a_second(held) if held.state == models.Connection.State.OK else None
    return ImportProgress(copied, total, math.ceil((total - copied) / rate) if rate else None)


def _counted(resource: Resource, cursor: models.Cursor) -> tuple[int, int]:
    """How many records of a list are copied, and of how many; a walk after the import counts what changed alone."""
    if cursor.imported_at:
        here = resource.model._default_manager.count()
        return here, here
    return cursor.walked, max(cursor.walked, cursor.total or 0)


def _records_a_second(held: models.Connection) -> float | None:
    """As measured lately with this key, waits for its budget and for other clinics' turns included."""
    since = max(held.connected_at or timezone.now(), timezone.now() - MEASURED_OVER)
    recent = list(models.SyncRun.objects.filter(started_at__gte=since).exclude(finished_at=None).order_by("started_at"))
    if not recent:
        return None
    fetched = sum(did.get("fetched", 0) for run in recent for did in run.resources.values())
    last = recent[-1].finished_at or recent[-1].started_at
    took = (last - recent[0].started_at).total_seconds()
    return fetched / took if fetched and took > 0 else None
