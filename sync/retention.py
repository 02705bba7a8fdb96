"""Delete old history, and records that were deleted in Cliniko, once a night.

The row of a patient deleted in Cliniko stays, reduced to the id: a launch can still say that the record was deleted,
and the clinic's own notes belong to it.
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
ONE_DAY = timedelta(days=1)
_REDUCE = """
UPDATE sync_patient SET payload = jsonb_build_object('id', cliniko_id), date_of_birth = NULL, sort_name = '',
    search_names = '', search_phones = ''
WHERE deleted_at < %s AND payload ? 'updated_at'
"""


@dataclass(frozen=True)
class RemovalCounts:
    """How many rows of each kind are deleted."""

    changes: int
    runs: int
    patients: int
    records: int


def policy() -> RetentionPolicy:
    """Return the clinic's retention policy, or an unsaved one with the defaults."""
    return RetentionPolicy.objects.first() or RetentionPolicy(id=1)


def set_policy(chosen: RetentionPolicy, *, by: Actor) -> bool:
    """Save the policy. Returns False if nothing changed. Raises AuditUnavailable."""
    with transaction.atomic():
        before = policy()
        changed = {
            f"{name}_kept": f"{getattr(chosen, f'{name}_days')} days"
            for name in ("changes", "deleted")
            if getattr(chosen, f"{name}_days") != getattr(before, f"{name}_days")
        }
        if not changed:
            return False
        RetentionPolicy.objects.update_or_create(
            id=1, defaults={"changes_days": chosen.changes_days, "deleted_days": chosen.deleted_days}
        )
        record(Action.SETTINGS_CHANGED, by=by, **changed)
        return True


def delete_expired() -> RemovalCounts:
    """Delete what is older than the clinic's policy allows, and return how much that was."""
    with transaction.atomic():
        connection_state.lock()  # no sync may restore a deleted patient in the meantime
        now, current = timezone.now(), policy()
        counts = _count(now, current)
        RefusedPayload.objects.filter(patient_id__in=_deleted_ids(now, current)).delete()
        for rows in (_changes(now, current), _runs(now), *_records(now, current)):
            rows.delete()
        with database.cursor() as cursor:
            cursor.execute(_REDUCE, [_deleted_before(now, current)])
        return counts


def due_tonight() -> RemovalCounts:
    """Return what the coming night will delete, as far as that is known now."""
    return _count(timezone.now() + ONE_DAY, policy())


def _count(now: datetime, current: RetentionPolicy) -> RemovalCounts:
    return RemovalCounts(
        changes=_changes(now, current).count(),
        runs=_runs(now).count(),
        patients=_deleted(now, current).filter(payload__has_key="updated_at").count(),
        records=sum(rows.count() for rows in _records(now, current)),
    )


def _deleted_before(now: datetime, current: RetentionPolicy) -> datetime:
    return now - timedelta(days=current.deleted_days)


def _deleted(now: datetime, current: RetentionPolicy) -> QuerySet[Patient]:
    return Patient.objects.filter(deleted_at__lt=_deleted_before(now, current))


def _deleted_ids(now: datetime, current: RetentionPolicy) -> QuerySet[Any, str]:
    """Patients whose records are deleted with them. The records of a merged patient belong to the surviving one."""
    return _deleted(now, current).filter(merged_into=None).values_list("cliniko_id", flat=True)


def _changes(now: datetime, current: RetentionPolicy) -> QuerySet[PatientChange]:
    old = Q(changed_at__lt=now - timedelta(days=current.changes_days))
    return PatientChange.objects.filter(old | Q(patient_id__in=_deleted(now, current).values("cliniko_id")))


def _runs(now: datetime) -> QuerySet[SyncRun]:
    return SyncRun.objects.filter(started_at__lt=now - RUNS_KEPT_FOR)


def _records(now: datetime, current: RetentionPolicy) -> Iterator[QuerySet[Any]]:
    """Alerts and appointments that were deleted in Cliniko, or whose patient was."""
    old = Q(deleted_at__lt=_deleted_before(now, current))
    for model in (MedicalAlert, Appointment, Attendee):
        yield model._default_manager.filter(old | Q(patient_id__in=_deleted_ids(now, current)))
    yield GroupAppointment.objects.filter(old)
