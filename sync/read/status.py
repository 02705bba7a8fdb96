"""Read the state of the mirror, with messages that tell staff what is wrong and who can fix it."""

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
RATE_MEASURED_OVER = timedelta(minutes=15)
_SUBSETS = ("deleted", "archived", "cancelled")


@dataclass(frozen=True)
class SyncStatus:
    """`state` is a Connection.State or `importing` (patients); `sentence` tells staff what is wrong and who can fix it,
    "" if all is well. `key_state` and `key_sentence` say the same about the key alone, which a pause or an outage
    doesn't hide. `until` is when Cliniko is next asked, `since` when the state began."""

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
        """True if an owner or admin has to do something."""
        return self.state in (State.NO_KEY, State.KEY_INVALID, State.KEY_FORBIDDEN, State.PAUSED)


@dataclass(frozen=True)
class ResourceStatus:
    """`stored` counts records that aren't deleted; `walked` and `total` are the latest walk's progress. `sentence` says
    why the copy is incomplete, "" if it's complete."""

    name: str
    label: str
    stored: int
    walked: int
    total: int | None
    imported: bool
    checked_at: datetime | None
    refused: bool
    sentence: str

    @property
    def percent(self) -> int | None:
        """Progress of the first import, 0 to 100; None if unknown."""
        if self.imported:
            return 100
        return min(99, 100 * self.walked // self.total) if self.total else None


def current() -> SyncStatus:
    """Return the state of the mirror."""
    connection = connection_state.load()
    cursor = models.Cursor.objects.filter(resource="patients").first() or models.Cursor()
    importing = bool(connection.sealed_key) and cursor.imported_at is None
    state = IMPORTING if importing and connection.state == State.OK else connection.state
    return SyncStatus(
        state=state,
        sentence=_sentence(state, connection),
        key_state=connection.key_state,
        key_sentence=_key_sentence(connection.key_state, connection),
        since=connection.state_since,
        until=connection.resume_at,
        checked_at=cursor.checked_at,
        importing=importing,
    )


def patient_count() -> int:
    """Return how many patients are mirrored, without deleted ones."""
    return models.Patient.objects.filter(deleted_at=None).count()


def by_resource() -> tuple[ResourceStatus, ...]:
    """Return the state of each resource, in the order of an import."""
    cursors = {cursor.resource: cursor for cursor in models.Cursor.objects.all()}
    compared = dict(models.Reconciliation.objects.exclude(after_id=None).values_list("resource", "compared"))
    return tuple(_resource(each, cursors, compared.get(each.name)) for each in RESOURCES)


def _resource(resource: Resource, cursors: dict[str, models.Cursor], compared: int | None) -> ResourceStatus:
    cursor = cursors.get(resource.name) or models.Cursor()
    return ResourceStatus(
        name=resource.name,
        label=resource.label,
        stored=resource.model._default_manager.filter(deleted_at=None).count(),
        walked=cursor.walked,
        total=cursor.total,
        imported=cursor.imported_at is not None,
        checked_at=cursor.checked_at,
        refused=cursor.refused_at is not None,
        sentence=_why_incomplete(resource, cursor, compared) or _unlisted_subsets(resource, cursors),
    )


def _unlisted_subsets(resource: Resource, cursors: dict[str, models.Cursor]) -> str:
    """Return which of the lists of deleted, archived and cancelled records can't be read, or ""."""
    subsets = {
        listing.subset: cursors[listing.name]
        for listing in listings(resource, asks_hidden=cursors[resource.name].asks_hidden)
        if listing.subset in _SUBSETS and listing.name in cursors
    }
    refused = {subset: cursor for subset, cursor in subsets.items() if cursor.refused_at}
    failing = [subset for subset, cursor in subsets.items() if cursor.failures and not cursor.refused_at]
    if failing and not refused:
        return f"Cliniko doesn't list {_join(failing)} ones at the moment. We keep trying."
    if not refused:
        return ""
    never_read = [subset for subset, cursor in refused.items() if subset != "deleted" and cursor.imported_at is None]
    missing = f" Those {_join(never_read)} before the first import are missing." if never_read else ""
    return f"The API key can't list {_join(list(refused))} ones: the weekly comparison finds them.{missing}"


def _join(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _why_incomplete(resource: Resource, cursor: models.Cursor, compared: int | None) -> str:
    if cursor.refused_at:
        return (
            f"The Cliniko user who made the API key can't read {resource.label}. Someone who manages users in "
            "Cliniko can change that user's role; we try again every few hours."
        )
    if cursor.failures:
        return f"Cliniko doesn't list {resource.label} at the moment. We keep trying."
    if cursor.imported_at is None:
        return "Importing." if cursor.after_id else "Waiting to be imported."
    return f"Being compared with Cliniko: {compared} so far." if compared is not None else ""


def _sentence(state: str, connection: models.Connection) -> str:
    since = at(connection.state_since, connection.time_zone)
    until = at(connection.resume_at or timezone.now(), connection.time_zone)
    return {
        State.NO_KEY: _key_sentence(KeyState.MISSING, connection),
        IMPORTING: f"{connection.patient_word.capitalize()}s are being copied from Cliniko for the first time. "
        "You can already open all of them.",
        State.RATE_LIMITED: f"Cliniko is limiting our requests. Sync continues automatically {until}.",
        State.KEY_INVALID: _key_sentence(KeyState.INVALID, connection),
        State.KEY_FORBIDDEN: _key_sentence(KeyState.FORBIDDEN, connection),
        State.UNREACHABLE: f"Cliniko stopped answering {since}. We keep trying and show our latest copy.",
        State.PAUSED: "Sync is paused. An owner or admin can resume it. "
        f"{_key_sentence(connection.key_state, connection)}".strip(),
    }.get(state, "")


def _key_sentence(key_state: str, connection: models.Connection) -> str:
    return {
        KeyState.MISSING: "Sidechart isn't connected to Cliniko yet. An owner or admin can enter the API key.",
        KeyState.INVALID: f"Cliniko doesn't accept the API key …{connection.key_last4}. "
        "An owner or admin can replace it.",
        KeyState.FORBIDDEN: f"The Cliniko user who made the API key can't read {connection.patient_word}s. "
        "An administrator can change that user's role in Cliniko.",
    }.get(KeyState(key_state), "")


@dataclass(frozen=True)
class ImportProgress:
    """The first import: `copied` of `total` records. `seconds_left` is None if unknown or while sync is stopped."""

    copied: int
    total: int
    seconds_left: int | None

    @property
    def percent(self) -> int:
        return min(99, 100 * self.copied // self.total) if self.total else 0

    @property
    def sentence(self) -> str:
        """`About 4 minutes left.`, or "" if unknown."""
        if self.seconds_left is None:
            return ""
        minutes = math.ceil(self.seconds_left / 60)
        if minutes <= 1:
            return "Less than a minute left."
        return f"About {minutes} minutes left." if minutes < 90 else f"About {round(minutes / 60)} hours left."


def import_progress() -> ImportProgress | None:
    """Return the progress of the first import; None without a key, or once all that the key may read is imported."""
    connection = models.Connection.objects.filter(id=1).exclude(sealed_key="").first()
    if connection is None:
        return None
    cursors = {cursor.resource: cursor for cursor in models.Cursor.objects.filter(refused_at=None)}
    wanted = [(resource, cursors[resource.name]) for resource in RESOURCES if resource.name in cursors]
    if wanted and all(cursor.imported_at for _, cursor in wanted):
        return None
    counts = [_copied_and_total(resource, cursor) for resource, cursor in wanted]
    copied, total = sum(copied for copied, _ in counts), sum(total for _, total in counts)
    rate = _records_per_second(connection) if connection.state == State.OK else None
    return ImportProgress(copied, total, math.ceil((total - copied) / rate) if rate else None)


def _copied_and_total(resource: Resource, cursor: models.Cursor) -> tuple[int, int]:
    if cursor.imported_at:  # later walks count changed records only
        stored = resource.model._default_manager.count()
        return stored, stored
    return cursor.walked, max(cursor.walked, cursor.total or 0)


def _records_per_second(connection: models.Connection) -> float | None:
    """Return the recent rate with this key, including waits for the rate limit and for other clinics' slices."""
    since = max(connection.connected_at or timezone.now(), timezone.now() - RATE_MEASURED_OVER)
    recent = list(models.SyncRun.objects.filter(started_at__gte=since).exclude(finished_at=None).order_by("started_at"))
    if not recent:
        return None
    fetched = sum(counts.get("fetched", 0) for run in recent for counts in run.resources.values())
    end = recent[-1].finished_at or recent[-1].started_at
    seconds = (end - recent[0].started_at).total_seconds()
    return fetched / seconds if fetched and seconds > 0 else None
