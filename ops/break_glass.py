"""Break glass: let an operator open one clinic's unreadable records, with a reason and an expiry.

Call from the public schema. Every access is recorded in both access logs first: without that, nothing is shown.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from audit.log import Action, record
from ops import emails
from ops.models import BreakGlassGrant
from ops.operators import clinic_log_actor
from sync.models import RefusedPayload, SyncRun
from tenants.context import enter_clinic
from tenants.dates import in_zone
from tenants.models import Clinic

MINUTES = (15, 30, 60)
MAX_RECORDS = 200
MAX_RUNS = 30


@dataclass(frozen=True)
class UnreadableRecord:
    """A quarantined record without its payload or patient: its resource, why it's unreadable and since when."""

    pk: int
    resource: str
    reason: str
    refused_at: datetime

    @classmethod
    def from_row(cls, row: RefusedPayload) -> "UnreadableRecord":
        return cls(row.pk, row.resource, row.reason, row.refused_at)


@dataclass(frozen=True)
class RunSummary:
    """One sync run: the records fetched by resource (only where there were any) and the requests it made."""

    started_at: datetime
    result: str
    reason: str
    fetched: dict[str, int]
    requests: int


def grant_access(clinic: Clinic, *, user: User, reason: str, minutes: int) -> BreakGlassGrant:
    """Grant access from now, and email the clinic's owners. Raises AuditUnavailable."""
    now = timezone.now()
    until = now + timedelta(minutes=minutes)
    details = {"reason": reason, "until": in_zone(until, UTC)}
    with transaction.atomic():
        grant = BreakGlassGrant.objects.create(
            clinic=clinic, user_id=user.pk, reason=reason, starts_at=now, expires_at=until
        )
        record(Action.OPS_ACCESS, by=user, clinic=clinic.label, **details)
        with enter_clinic(clinic):
            record(Action.OPS_ACCESS, by=clinic_log_actor(user), **details)
        transaction.on_commit(lambda: _notify_owners(grant, user))
    return grant


def _notify_owners(grant: BreakGlassGrant, user: User) -> None:
    with enter_clinic(grant.clinic):
        emails.send_break_glass_notice(user.email, reason=grant.reason, until=grant.expires_at)


def active_grant(clinic: Clinic, user: User) -> BreakGlassGrant | None:
    """Return this operator's current grant for this clinic, or None."""
    active = BreakGlassGrant.objects.filter(clinic=clinic, user_id=user.pk, expires_at__gt=timezone.now())
    return active.order_by("-expires_at").first()


def revoke_access(clinic: Clinic, *, user: User) -> bool:
    """End this operator's grants for this clinic early. Return False if none was active. Raises AuditUnavailable."""
    now = timezone.now()
    with transaction.atomic():
        active = BreakGlassGrant.objects.filter(clinic=clinic, user_id=user.pk, expires_at__gt=now)
        ended = active.update(expires_at=now)
        if ended:
            record(Action.OPS_ACCESS, by=user, clinic=clinic.label, access="ended")
            with enter_clinic(clinic):
                record(Action.OPS_ACCESS, by=clinic_log_actor(user), access="ended")
    return bool(ended)


def unreadable_records(grant: BreakGlassGrant) -> list[UnreadableRecord]:
    """Return the clinic's unreadable records, newest first."""
    with enter_clinic(grant.clinic):
        rows = RefusedPayload.objects.defer("payload").order_by("-refused_at")[:MAX_RECORDS]
        return [UnreadableRecord.from_row(row) for row in rows]


def recent_runs(grant: BreakGlassGrant) -> list[RunSummary]:
    """Return the clinic's latest sync runs, newest first."""
    with enter_clinic(grant.clinic):
        return [
            RunSummary(
                started_at=run.started_at,
                result=run.result,
                reason=run.reason,
                fetched={name: counts["fetched"] for name, counts in run.resources.items() if counts["fetched"]},
                requests=sum(counts["requests"] for counts in run.resources.values()),
            )
            for run in SyncRun.objects.order_by("-started_at")[:MAX_RUNS]
        ]


def open_record(grant: BreakGlassGrant, *, user: User, pk: int) -> tuple[UnreadableRecord, str] | None:
    """Record the access in both logs, then return the record and its payload as text (indented JSON where it parses).

    The clinic's log entry names the patient where known. Returns None if the record is gone. Raises AuditUnavailable.
    """
    with enter_clinic(grant.clinic):
        row = RefusedPayload.objects.filter(pk=pk).first()
    if row is None:
        return None
    patient_id = row.patient_id if re.fullmatch("[1-9][0-9]{0,19}", row.patient_id) else ""
    details = {"what": "an unreadable record", "list": row.resource}
    with transaction.atomic():
        record(Action.OPS_ACCESS, by=user, clinic=grant.clinic.label, record=row.pk, **details)
        with enter_clinic(grant.clinic):
            record(Action.OPS_ACCESS, by=clinic_log_actor(user), patient_id=patient_id, record=row.pk, **details)
    try:
        payload = json.dumps(json.loads(row.payload), indent=2, ensure_ascii=False)
    except ValueError:
        payload = row.payload
    return UnreadableRecord.from_row(row), payload
