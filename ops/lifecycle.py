"""Suspend, resume, close and rename a clinic. Each change is one transaction; repeating it changes nothing."""

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
from ops.errors import Refused
from sync.connection.state import load, lock
from sync.walk import lease
from tenants.context import clinic_context, enter_clinic, find_clinic
from tenants.dates import as_date
from tenants.hosts import clinic_url
from tenants.labels import check_label
from tenants.models import Clinic, Domain

log = structlog.get_logger(__name__)
State = Clinic.State
REMINDERS = (30, 7, 1)  # days before closing


@dataclass(frozen=True)
class StateChange:
    """The clinic's state, whether this call changed it, and a sentence for the operator. Fields are the JSON keys."""

    clinic: str
    state: str
    changed: bool
    sentence: str


def suspend(label: str, *, reason: str, by: Actor, dry_run: bool = False) -> StateChange:
    """Block sign-in, end all sessions and stop the sync. All data stays, including the API key.

    This cancels a closing date, which has to be set again after `resume`. Raises NoSuchClinic and Refused.
    """
    reason = reason.strip()
    if not reason:
        raise Refused("A reason is required.")
    if len(reason) > 200:
        raise Refused("The reason is longer than 200 characters.")
    with transaction.atomic():
        with clinic_context(label):
            lock()  # before the clinic's row, the order in which key entry and pause take them, so they can't deadlock
        with _locked_clinic(label, dry_run) as clinic:
            if clinic.state == State.SUSPENDED:
                return StateChange(label, clinic.state, False, f"{label} is already suspended: {clinic.state_reason}.")
            _set_state(clinic, State.SUSPENDED, reason=reason)
            with enter_clinic(clinic):
                OpenSession.objects.all().delete()
                lease.revoke()
                record(Action.CLINIC_SUSPENDED, by=by, reason=reason)
    return StateChange(label, clinic.state, True, f"{label} is suspended: no one can sign in, and it doesn't sync.")


def resume(label: str, *, by: Actor, dry_run: bool = False) -> StateChange:
    """Make a suspended or closing clinic work again. Raises NoSuchClinic and Refused."""
    with _locked_clinic(label, dry_run) as clinic:
        if clinic.state in (State.ACTIVE, State.SETUP):
            return StateChange(label, clinic.state, False, f"{label} is already working.")
        with enter_clinic(clinic):
            state = State.ACTIVE if load().connected_at else State.SETUP
            record(Action.CLINIC_RESUMED, by=by, was=clinic.state)
        _set_state(clinic, state)
    return StateChange(label, clinic.state, True, f"{label} is working again: staff sign in at {clinic_url(label)}")


def close(label: str, *, on: date, by: Actor, dry_run: bool = False) -> StateChange:
    """Set the first day (UTC) on which no one can sign in, and email the owners, who can export until then.

    They are reminded 30, 7 and 1 days before. Nothing is deleted on that day: `purge` does that.
    Raises NoSuchClinic and Refused.
    """
    if on <= timezone.now().date():
        raise Refused(f"{on} isn't in the future.")
    with _locked_clinic(label, dry_run) as clinic:
        if clinic.state == State.SUSPENDED:
            raise Refused(f"{label} is suspended, so its owners couldn't export anything. Run `clinic resume` first.")
        if clinic.closing_on == on:
            return StateChange(label, clinic.state, False, f"{label} already closes on {as_date(on)}.")
        _set_state(clinic, State.CLOSING, closing_on=on)
        with enter_clinic(clinic):
            record(Action.CLINIC_CLOSING, by=by, day=on.isoformat())
        transaction.on_commit(lambda: notify_owners(clinic))
    emailed = "Its owners are emailed (retried every six hours if that fails) and can export until then."
    return StateChange(label, clinic.state, True, f"{label} closes on {as_date(on)}. {emailed}")


def notify_owners(clinic: Clinic) -> None:
    """Email the owners the closing date, and save how many days before. Call from the public schema."""
    try:
        with enter_clinic(clinic), transaction.atomic():
            sent = emails.send_closing_notice(clinic)
    except DatabaseError as failed:  # one clinic's broken tables must not stop the others' reminders
        log.error("closing_notice_failed", clinic=clinic.label, exc_info=failed)
        return
    if sent:
        rows = Clinic.objects.filter(pk=clinic.pk, closing_on=clinic.closing_on)
        rows.update(closing_reminded_days=min(_days_left(clinic), 32_767))


def send_due_reminder(clinic: Clinic) -> None:
    """Email the owners of a closing clinic if they haven't been emailed yet, or a day in REMINDERS has come since.

    A failed email is retried on the next call. Two emails are better than none.
    """
    days, reminded = _days_left(clinic), clinic.closing_reminded_days
    due = min((day for day in REMINDERS if day >= days), default=None)
    if days >= 1 and (reminded is None or (due is not None and reminded > due)):
        notify_owners(clinic)


def _days_left(clinic: Clinic) -> int:
    return (clinic.closing_on - timezone.now().date()).days if clinic.closing_on else 0


def rename(label: str, new_label: str, *, by: Actor, dry_run: bool = False) -> StateChange:
    """Give the clinic another subdomain. The old one redirects to it for good: it's in Cliniko, emails and bookmarks.

    Raises NoSuchClinic, LabelRefused and Refused.
    """
    check_label(new_label)
    if Domain.objects.filter(domain=label, is_primary=False, tenant__label=new_label).exists():
        label_now = new_label  # already renamed
    else:
        label_now = label
    with _locked_clinic(label_now, dry_run) as clinic:
        if clinic.label == new_label:
            return StateChange(new_label, clinic.state, False, f"It already has this name: {clinic_url(new_label)}")
        Domain.objects.filter(tenant=clinic, is_primary=True).update(is_primary=False)
        domain, _ = Domain.objects.get_or_create(domain=new_label, defaults={"tenant": clinic})
        if domain.tenant_id != clinic.pk:
            raise Refused(f"The subdomain {new_label!r} is taken.")
        Domain.objects.filter(pk=domain.pk).update(is_primary=True)
        Clinic.objects.filter(pk=clinic.pk).update(label=new_label)
        clinic.label = new_label
        with enter_clinic(clinic):
            passkeys = Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN, user__is_active=True)
            users = passkeys.values("user").distinct().count()
            record(Action.CLINIC_RENAMED, by=by, before=label, after=new_label)
    sentence = f"{label} is now {new_label}: {clinic_url(new_label)}. {clinic_url(label)} redirects there."
    if users:
        sentence += (
            f" Passkeys only work at the old address: {users} of its staff must sign in with their password and a"
            " recovery code, then add a new passkey."
        )
    return StateChange(new_label, clinic.state, True, sentence)


@contextmanager
def _locked_clinic(label: str, dry_run: bool) -> Iterator[Clinic]:
    """Lock the clinic's row for a change, which is rolled back for a dry run. Raises NoSuchClinic."""
    with transaction.atomic():
        clinic = Clinic.objects.select_for_update().exclude(state=State.PURGED).filter(label=label).first()
        yield clinic or find_clinic(label)  # raises NoSuchClinic
        transaction.set_rollback(dry_run)


def _set_state(clinic: Clinic, state: str, *, reason: str = "", closing_on: date | None = None) -> None:
    clinic.state, clinic.state_since, clinic.state_reason = state, timezone.now(), reason
    clinic.closing_on, clinic.closing_reminded_days, clinic.sync_due_at = closing_on, None, timezone.now()
    clinic.save(update_fields="state state_since state_reason closing_on closing_reminded_days sync_due_at".split())
