"""Breaking glass: somebody of ops reads what one clinic keeps aside, for a reason and for a while.

Everything here stands in public. No line in the clinic's log, no look: what cannot be recorded is not shown.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from audit.log import Action, record
from ops import emails
from ops.models import BreakGlassGrant
from ops.operators import as_clinics_see
from sync.models import RefusedPayload, SyncRun
from tenants.context import enter_clinic
from tenants.models import Clinic

MINUTES = (15, 30, 60)
MOST_LISTED = 200
RUNS_LISTED = 30


@dataclass(frozen=True)
class Kept:
    """A record that could not be read: which list it is of, why and since when. Whose it is stays at the clinic."""

    pk: int
    resource: str
    reason: str
    refused_at: datetime


@dataclass(frozen=True)
class Turn:
    """One run of the sync: by list how many records came, where any did, and the requests that it made."""

    started_at: datetime
    result: str
    reason: str
    fetched: dict[str, int]
    requests: int


@dataclass(frozen=True)
class Opened:
    """One such record with its payload, as JSON to read."""

    kept: Kept
    payload: str


def begin(clinic: Clinic, *, user: User, reason: str, minutes: int) -> BreakGlassGrant:
    """Let this person look from now on, and tell the clinic's owners. Raises AuditUnavailable."""
    now = timezone.now()
    until = now + timedelta(minutes=minutes)
    said = {"reason": reason, "until": f"{until:%Y-%m-%d %H:%M} UTC"}
    with transaction.atomic():
        look = BreakGlassGrant.objects.create(clinic=clinic, user_id=user.pk, reason=reason, began_at=now, until=until)
        record(Action.OPS_ACCESS, by=user, clinic=clinic.label, **said)
        with enter_clinic(clinic):
            record(Action.OPS_ACCESS, by=as_clinics_see(user), **said)
        transaction.on_commit(lambda: _tell_owners(clinic, user, look))
    return look


def current(clinic: Clinic, user: User) -> BreakGlassGrant | None:
    """This person's look into this clinic, if one goes on."""
    mine = BreakGlassGrant.objects.filter(clinic=clinic, user_id=user.pk, until__gt=timezone.now())
    return mine.order_by("-until").first()


def end(clinic: Clinic, *, user: User) -> bool:
    """End this person's looks into this clinic before their time. False when none went on. Raises AuditUnavailable."""
    now = timezone.now()
    with transaction.atomic():
        ended = BreakGlassGrant.objects.filter(clinic=clinic, user_id=user.pk, until__gt=now).update(until=now)
        if ended:
            record(Action.OPS_ACCESS, by=user, clinic=clinic.label, what="ended")
            with enter_clinic(clinic):
                record(Action.OPS_ACCESS, by=as_clinics_see(user), what="ended")
    return bool(ended)


def kept(look: BreakGlassGrant) -> list[Kept]:
    """What the clinic keeps aside, newest first."""
    with enter_clinic(look.clinic):
        return [_kept(row) for row in RefusedPayload.objects.defer("payload").order_by("-refused_at")[:MOST_LISTED]]


def runs(look: BreakGlassGrant) -> list[Turn]:
    """The clinic's latest runs, newest first."""
    with enter_clinic(look.clinic):
        return [_turn(run) for run in SyncRun.objects.order_by("-started_at")[:RUNS_LISTED]]


def open_one(look: BreakGlassGrant, *, user: User, pk: int) -> Opened | None:
    """One record that the clinic keeps aside, and its lines in both logs; the one at the clinic stands with the patient
    whom the record is about, where that is known. None when it is not there (any more). Raises AuditUnavailable."""
    with enter_clinic(look.clinic):
        row = RefusedPayload.objects.filter(pk=pk).first()
    if row is None:
        return None
    whom = row.patient_id if re.fullmatch("[1-9][0-9]{0,19}", row.patient_id) else ""
    said = {"what": "a record that could not be read", "list": row.resource}
    with transaction.atomic():
        record(Action.OPS_ACCESS, by=user, clinic=look.clinic.label, record=row.pk, **said)
        with enter_clinic(look.clinic):
            record(Action.OPS_ACCESS, by=as_clinics_see(user), patient_id=whom, record=row.pk, **said)
    return Opened(_kept(row), _to_read(row.payload))


def _kept(row: RefusedPayload) -> Kept:
    return Kept(row.pk, row.resource, row.reason, row.refused_at)


def _turn(run: SyncRun) -> Turn:
    fetched = {name: counts["fetched"] for name, counts in run.resources.items() if counts["fetched"]}
    requests = sum(counts["requests"] for counts in run.resources.values())
    return Turn(run.started_at, run.result, run.reason, fetched, requests)


def _to_read(payload: str) -> str:
    try:
        return json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    except ValueError:
        return payload


def _tell_owners(clinic: Clinic, user: User, look: BreakGlassGrant) -> None:
    with enter_clinic(clinic):
        emails.tell_owners_of_look(user.email, reason=look.reason, until=look.until)
