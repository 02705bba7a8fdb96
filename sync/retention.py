"""Delete old history, and records that were deleted in Cliniko, once a night.

The row of a patient deleted in Cliniko stays, reduced to the id: a launch can still say that the record was deleted,
and the clinic's own notes belong to it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import JSONObject
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
        expired = _Expired(timezone.now())
        counts = expired.count()
        for rows in (expired.refused, expired.changes, expired.runs, *expired.records):
            rows.delete()
        expired.patients.update(
            payload=JSONObject(id="cliniko_id"), date_of_birth=None, sort_name="", search_names="", search_phones=""
        )
        return counts


def due_tonight() -> RemovalCounts:
    """Return what the coming night will delete, as far as that is known now."""
    return _Expired(timezone.now() + timedelta(days=1)).count()


class _Expired:
    """Everything that is too old at a time."""

    def __init__(self, now: datetime):
        periods = policy()
        changed_before = Q(changed_at__lt=now - timedelta(days=periods.changes_days))
        deleted_before = Q(deleted_at__lt=now - timedelta(days=periods.deleted_days))
        deleted = Patient.objects.filter(deleted_before)
        # The records of a merged patient belong to the surviving one.
        owners = deleted.filter(merged_into=None).values("cliniko_id")
        self.patients = deleted.filter(payload__has_key="updated_at")
        self.changes = PatientChange.objects.filter(changed_before | Q(patient_id__in=deleted.values("cliniko_id")))
        self.runs = SyncRun.objects.filter(started_at__lt=now - RUNS_KEPT_FOR)
        self.refused = RefusedPayload.objects.filter(patient_id__in=owners)
        self.records: list[QuerySet[Any]] = [
            model._default_manager.filter(deleted_before | Q(patient_id__in=owners))
            for model in (MedicalAlert, Appointment, Attendee)
        ]
        self.records.append(GroupAppointment.objects.filter(deleted_before))

    def count(self) -> RemovalCounts:
        return RemovalCounts(
            changes=self.changes.count(),
            runs=self.runs.count(),
            patients=self.patients.count(),
            records=sum(rows.count() for rows in self.records),
        )
