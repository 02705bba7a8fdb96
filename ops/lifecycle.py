"""A clinic's states: suspended, working again, under another name, closing. Each change is one transaction, and asked
for twice is made once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import structlog
from allauth.mfa.models import Authenticator
from django.db import DatabaseError, transaction
from django.utils import timezone

from accounts.models import OpenSession
from audit.log import Action, Actor, record
from ops import emails
from ops.onboarding import Refused
from sync.connection.state import load, lock
from sync.walk import lease
from tenants.context import clinic_context, enter_clinic, find_clinic
from tenants.hosts import clinic_url
from tenants.labels import check_label
from tenants.models import Clinic, Domain

log = structlog.get_logger(__name__)
State = Clinic.State
REMINDERS = (30, 7, 1)  # days before the last


@dataclass(frozen=True)
class Changed:
    """How the clinic is now, and whether that is news. `sentence` is for ops."""

    clinic: str
    state: str
    changed: bool
    sentence: str


def suspend(label: str, *, reason: str, by: Actor, dry_run: bool = False) -> Changed:
    """Lock everybody out, end their sessions and let the workers pass by; what is held stays, the key too.

    A clinic that was closing closes no more: its day is to be set again after `resume`. Raises NoSuchClinic, Refused.
    """
    reason = reason.strip()
    if not reason:
        raise Refused("Say why: whoever looks next wants to know.")
    if len(reason) > 200:
        raise Refused("The reason is longer than 200 characters.")
    with transaction.atomic(), _connection_first(label), _held(label, dry_run) as clinic:
        if clinic.state == State.SUSPENDED:
            return Changed(label, clinic.state, False, f"{label} is suspended already: {clinic.state_reason}.")
        _become(clinic, State.SUSPENDED, reason=reason)
        with enter_clinic(clinic):
            OpenSession.objects.all().delete()
            lease.revoke()
            record(Action.CLINIC_SUSPENDED, by=by, reason=reason)
        return Changed(label, clinic.state, True, f"{label} is suspended: nobody gets in, and nothing is synced.")


def resume(label: str, *, by: Actor, dry_run: bool = False) -> Changed:
    """Let a clinic that is suspended or closing work again. Raises NoSuchClinic, Refused."""
    with _held(label, dry_run) as clinic:
        if clinic.state in (State.ACTIVE, State.SETUP):
            return Changed(label, clinic.state, False, f"{label} works already.")
        with enter_clinic(clinic):
            state = State.ACTIVE if load().connected_at else State.SETUP
            record(Action.CLINIC_RESUMED, by=by, was=clinic.state)
        _become(clinic, state)
        return Changed(label, clinic.state, True, f"{label} works again: staff sign in at {clinic_url(label)}")


def close(label: str, *, on: date, by: Actor, dry_run: bool = False) -> Changed:
    """Set the first day on which nobody gets in any more, and mail the owners, who can take everything along.

    They are reminded 30, 7 and 1 days before. Nothing is removed on that day: that is for `purge`.
    Raises NoSuchClinic, Refused.
    """
    if on <= timezone.now().date():
        raise Refused(f"{on} is not to come: name tomorrow or a later day.")
    with _held(label, dry_run) as clinic:
        if clinic.state == State.SUSPENDED:
            raise Refused(f"{label} is suspended: its owners could take nothing along. `clinic resume` it first.")
        if clinic.closing_on == on:
            return Changed(label, clinic.state, False, f"{label} closes on {on} already.")
        _become(clinic, State.CLOSING, closing_on=on)
        with enter_clinic(clinic):
            record(Action.CLINIC_CLOSING, by=by, day=on.isoformat())
        transaction.on_commit(lambda: tell_owners(clinic))
        told = "its owners can export, and are told by e-mail; what cannot be sent is tried again every six hours"
        return Changed(label, clinic.state, True, f"{label} closes on {on}: {told}.")


def tell_owners(clinic: Clinic) -> None:
    """Mail them the day, and note how early that was. The caller stands in public."""
    try:
        with enter_clinic(clinic), transaction.atomic():
            mailed = emails.tell_owners_of_closing(clinic)
    except DatabaseError as failed:  # its tables do not read, and the other clinics' turns come all the same
        log.error("owners_not_told", clinic=clinic.label, exc_info=failed)
        return
    if mailed:
        rows = Clinic.objects.filter(pk=clinic.pk, closing_on=clinic.closing_on)
        rows.update(closing_reminded_days=min(_days_left(clinic), 32_767))


def remind(clinic: Clinic) -> None:
    """Tell the owners of a clinic that closes at once, and once for each of the days in REMINDERS. What could not be
    mailed is tried again at the next call; a mail that went out twice is better than none."""
    days, told = _days_left(clinic), clinic.closing_reminded_days
    due = _reminder(days)
    if days >= 1 and (told is None or (due is not None and told > due)):
        tell_owners(clinic)


def _days_left(clinic: Clinic) -> int:
    return (clinic.closing_on - timezone.now().date()).days if clinic.closing_on else 0


def _reminder(days: int) -> int | None:
    """Which of the reminders is due, or was the latest, so many days before the last."""
    return min((each for each in REMINDERS if each >= days), default=None)


def rename(label: str, new_label: str, *, by: Actor, dry_run: bool = False) -> Changed:
    """Give the clinic another subdomain. The former one leads to the new one from then on, and nobody else gets it:
    its address is in Cliniko, in mails and in bookmarks.

    Raises NoSuchClinic, LabelRefused, Refused.
    """
    check_label(new_label)
    with _held(_label_now(label, new_label), dry_run) as clinic:
        if clinic.label == new_label:
            return Changed(new_label, clinic.state, False, f"That is its name already: {clinic_url(new_label)}")
        _move(clinic, new_label)
        with enter_clinic(clinic):
            passkeys = _people_with_passkeys()
            record(Action.CLINIC_RENAMED, by=by, before=label, after=new_label)
    sentence = f"{label} is {new_label} now: {clinic_url(new_label)}. {clinic_url(label)} leads there."
    if passkeys:
        sentence += (
            f" Passkeys count at the former address only: {passkeys} of its people sign in with password and recovery"
            " code, then add a passkey anew."
        )
    return Changed(new_label, clinic.state, True, sentence)


def _label_now(label: str, new_label: str) -> str:
    """`new_label` for a clinic that was `label` and is that already, so that what is asked for twice is done once."""
    renamed = Domain.objects.filter(domain=label, is_primary=False, tenant__label=new_label).exists()
    return new_label if renamed else label


def _move(clinic: Clinic, new_label: str) -> None:
    Domain.objects.filter(tenant=clinic, is_primary=True).update(is_primary=False)
    domain, _ = Domain.objects.get_or_create(domain=new_label, defaults={"tenant": clinic})
    if domain.tenant_id != clinic.pk:
        raise Refused(f"The subdomain {new_label!r} is taken.")
    Domain.objects.filter(pk=domain.pk).update(is_primary=True)
    Clinic.objects.filter(pk=clinic.pk).update(label=new_label)
    clinic.label = new_label


def _people_with_passkeys() -> int:
    held = Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN, user__is_active=True)
    return held.values("user").distinct().count()


@contextmanager
def _connection_first(label: str) -> Iterator[None]:
    """Lock the clinic's connection before its row on public, as whoever changes its key or pauses it does: of two who
    meet, one waits and none is aborted."""
    with clinic_context(label):
        lock()
    yield


@contextmanager
def _held(label: str, dry_run: bool) -> Iterator[Clinic]:
    """The clinic as it is, and nobody else changes it until the change is committed; undone for a dry run."""
    with transaction.atomic():
        clinic = Clinic.objects.select_for_update().exclude(state=State.PURGED).filter(label=label).first()
        yield clinic or find_clinic(label)  # which says that there is none
        transaction.set_rollback(dry_run)


def _become(clinic: Clinic, state: str, *, reason: str = "", closing_on: date | None = None) -> None:
    clinic.state, clinic.state_since, clinic.state_reason = state, timezone.now(), reason
    clinic.closing_on, clinic.closing_reminded_days, clinic.sync_due_at = closing_on, None, timezone.now()
    clinic.save(update_fields="state state_since state_reason closing_on closing_reminded_days sync_due_at".split())
