"""What is kept for a while and then removed, once a night: histories, and what Cliniko itself no longer has.

Of a patient who was deleted in Cliniko the row stays, reduced to the id: a launch still tells that the record is gone,
and the clinic's own notes hang on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.log import Action, Actor, record
from sync.connection import state as connection_state
from sync.models import (
    Appointment,
    Attendee,
    GroupAppointment,
    MedicalAlert,
    Patient,
    PatientChange,
    RefusedPayload,
    RetentionPolicy,
    SyncRun,
)

__all__ = ["RUNS_KEPT_FOR", "RemovalCounts", "RetentionPolicy", "delete_expired", "due_tonight", "policy", "set_policy"]

RUNS_KEPT_FOR = timedelta(days=30)
A_NIGHT = timedelta(days=1)
_REDUCE = """
UPDATE sync_patient SET payload = jsonb_build_object('id', cliniko_id), date_of_birth = NULL, sort_name = '',
    search_names = '', search_phones = ''
WHERE deleted_at < %s AND payload ? 'updated_at'
"""


@dataclass(frozen=True)
class RemovalCounts:
    """How much of each is removed."""

    changes: int
    runs: int
    patients: int
    records: int


def policy() -> RetentionPolicy:
    """How long this clinic keeps things, or the defaults, unsaved."""
    return RetentionPolicy.objects.first() or RetentionPolicy(id=1)


def set_policy(chosen: RetentionPolicy, *, by: Actor) -> bool:
    """Keep things for so long from now on. False when nothing was changed. Raises AuditUnavailable."""
    with transaction.atomic():
        before = policy()
        words = {
            name: f"{days} days"
            for name, days in (("changes_kept", chosen.changes_days), ("deleted_kept", chosen.deleted_days))
            if days != getattr(before, name.replace("_kept", "_days"))
        }
        if not words:
            return False
        RetentionPolicy.objects.update_or_create(
            id=1, defaults={"changes_days": chosen.changes_days, "deleted_days": chosen.deleted_days}
        )
        record(Action.SETTINGS_CHANGED, by=by, **words)
        return True


def delete_expired() -> RemovalCounts:
    """Remove what is older than this clinic keeps it."""
    with transaction.atomic():
        connection_state.lock()  # nobody brings a patient back from among the deleted meanwhile
        now, kept = timezone.now(), policy()
        going = _count(now, kept)
        gone = _gone(now, kept)
        RefusedPayload.objects.filter(patient_id__in=gone).delete()
        for rows in (_changes(now, kept), _runs(now), *_records(now, kept)):
            rows.delete()
        with database.cursor() as cursor:
            cursor.execute(_REDUCE, [_deleted_before(now, kept)])
        return going


def due_tonight() -> RemovalCounts:
    """What the coming night will remove, as far as that is known now."""
    return _count(timezone.now() + A_NIGHT, policy())


def _count(now: datetime, kept: RetentionPolicy) -> RemovalCounts:
    return RemovalCounts(
        changes=_changes(now, kept).count(),
        runs=_runs(now).count(),
        patients=_deleted(now, kept).filter(payload__has_key="updated_at").count(),
        records=sum(rows.count() for rows in _records(now, kept)),
    )


def _deleted_before(now: datetime, kept: RetentionPolicy) -> datetime:
    return now - timedelta(days=kept.deleted_days)


def _deleted(now: datetime, kept: RetentionPolicy) -> QuerySet[Patient]:
    return Patient.objects.filter(deleted_at__lt=_deleted_before(now, kept))


def _gone(now: datetime, kept: RetentionPolicy) -> QuerySet[Any, str]:
    """The patients whose records go with them. What hangs on somebody who was merged is the survivor's."""
    return _deleted(now, kept).filter(merged_into=None).values_list("cliniko_id", flat=True)


def _changes(now: datetime, kept: RetentionPolicy) -> QuerySet[PatientChange]:
    old = Q(changed_at__lt=now - timedelta(days=kept.changes_days))
    return PatientChange.objects.filter(old | Q(patient_id__in=_deleted(now, kept).values("cliniko_id")))


def _runs(now: datetime) -> QuerySet[SyncRun]:
    return SyncRun.objects.filter(started_at__lt=now - RUNS_KEPT_FOR)


def _records(now: datetime, kept: RetentionPolicy) -> Iterator[QuerySet[Any]]:
    """Alerts and appointments that Cliniko deleted, or whose patient it deleted."""
    old = Q(deleted_at__lt=_deleted_before(now, kept))
    for model in (MedicalAlert, Appointment, Attendee):
        yield model._default_manager.filter(old | Q(patient_id__in=_gone(now, kept)))
    yield GroupAppointment.objects.filter(old)
