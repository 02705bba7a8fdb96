"""Onboard clinics, store their API keys, control their sync and report on them: for commands and the console."""

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Model

from accounts import invitations
from accounts.models import Invitation, User, clean_email
from accounts.roles import Role
from audit.log import OPS, Action, Actor, record
from ops import clinic_staff
from ops.errors import Refused, require_working
from sync import controls
from sync.cliniko.client import ApiKey
from sync.connection import connect
from sync.connection import state as cliniko_connection
from sync.connection.connect import Connected
from sync.models import Cursor, Reconciliation, RefusedPayload, SyncRun
from sync.read import status
from sync.resources import RESOURCES
from tenants.context import clinic_context, enter_clinic
from tenants.hosts import clinic_url
from tenants.labels import check_label
from tenants.models import Clinic, Domain


@dataclass(frozen=True)
class NewClinic:
    """A new clinic's URLs. `invite_url` is secret: anyone who opens it can become the owner."""

    clinic: str
    url: str
    launch_url: str
    invite_url: str
    mailed: bool = True


class AlreadyOnboarded(Refused):
    """This clinic already exists, with the same label and owner. Nothing was changed."""


def create(label: str, *, name: str, owner_email: str, by: Actor = OPS, dry_run: bool = False) -> NewClinic:
    """Create a clinic in one transaction: row, domain, schema, tables and the owner's invitation, then email the owner.

    A dry run rolls back, and has no invitation. Raises LabelRefused, Refused and AlreadyOnboarded.
    """
    check_label(label)
    name = name.strip()
    if not name:
        raise Refused("A name is required.")
    if len(name) > 200:
        raise Refused("The name is longer than 200 characters.")
    clinic_staff.check_email(owner_email)
    try:
        with transaction.atomic():
            clinic = Clinic.objects.create(label=label, name=name, state=Clinic.State.SETUP)
            Domain.objects.create(domain=label, tenant=clinic)
            clinic.create_schema(verbosity=0)
            with enter_clinic(clinic):
                invitation, invite_url = invitations.invite(email=owner_email, role=Role.OWNER, for_ops=by)
            transaction.set_rollback(dry_run)
    except IntegrityError:
        if not Domain.objects.filter(domain=label).exists():
            raise
        existing = _describe_existing(label, name, clean_email(owner_email))
        if existing:
            raise AlreadyOnboarded(existing) from None
        raise Refused(f"The subdomain {label!r} is taken.") from None
    if dry_run:
        return NewClinic(**clinic_urls(label), invite_url="", mailed=False)
    with enter_clinic(clinic):
        mailed = clinic_staff.send_invitation(invitation, invite_url)
    return NewClinic(**clinic_urls(label), invite_url=invite_url, mailed=mailed)


def clinic_urls(label: str) -> dict[str, str]:
    return {"clinic": label, "url": clinic_url(label), "launch_url": clinic_url(label, "/patients")}


def _describe_existing(label: str, name: str, email: str) -> str:
    """Return a sentence if the clinic at this label has this owner, joined or invited; "" if it's another clinic.

    The names have to match only until Cliniko is connected, which sets the clinic's name.
    """
    clinic = Clinic.objects.exclude(state=Clinic.State.PURGED).filter(label=label).first()
    if clinic is None:
        return ""
    with enter_clinic(clinic):
        if clinic.name != name and cliniko_connection.load().connected_at is None:
            return ""
        if User.objects.filter(email=email, role=Role.OWNER).exists():
            return f"{label} already exists as {clinic.name}, and {email} is its owner."
        if Invitation.objects.filter(email=email, role=Role.OWNER, accepted_at=None, revoked_at=None).exists():
            command = f"`clinic invite {label} --email {email} --role owner`"
            return f"{label} already exists as {clinic.name}, and {email} is invited. For a new link: {command}."
    return ""


def set_key(label: str, key: ApiKey, *, confirm_other_account: bool = False, dry_run: bool = False) -> Connected:
    """Test the key with Cliniko, store it and mark the clinic as due for sync. Raises NoSuchClinic and ClinikoError."""
    with clinic_context(label):
        if dry_run:
            return connect.check_key(key, confirm_other_account=confirm_other_account)
        return connect.connect(key, by=OPS, confirm_other_account=confirm_other_account)


def resync(label: str, *, by: Actor) -> Clinic:
    """Have the workers compare every record with Cliniko and fix differences. Raises NoSuchClinic, NoKey, Refused."""
    with clinic_context(label) as clinic, transaction.atomic():
        require_working(clinic)
        try:
            controls.compare()
        except controls.SyncUnavailable as unavailable:
            raise Refused(str(unavailable)) from None
        record(Action.SYNC_RESUMED, by=by, what="everything is compared with Cliniko")
        return clinic


def pause_sync(label: str, *, by: Actor) -> bool:
    """Pause the sync until it's resumed here or by the clinic. Return False if already paused or without a usable key.

    Raises NoSuchClinic.
    """
    with clinic_context(label):
        return controls.pause(by=by)


def resume_sync(label: str, *, by: Actor) -> bool:
    """Resume a paused sync. Return False if it wasn't paused. Raises NoSuchClinic."""
    with clinic_context(label):
        return controls.resume(by=by)


def list_clinics() -> list[dict[str, Any]]:
    """Return every clinic by label, from the public schema alone, including one whose purge was interrupted."""
    return [
        {
            "clinic": clinic.label,
            "name": clinic.name,
            "state": clinic.state,
            "closing_on": clinic.closing_on,
            "is_closed": clinic.is_closed,
            "key_state": clinic.key_state,
            "sync_state": clinic.sync_state,
            "checked_at": clinic.checked_at,
            "url": clinic_url(clinic.label),
        }
        for clinic in Clinic.objects.filter(purged_at=None).order_by("label")
    ]


def report(label: str) -> dict[str, Any]:
    """Return one clinic's states, counts, cursors and last run, with only the last four characters of its key.

    Return the certificate of a purged clinic. Raises NoSuchClinic.
    """
    purged = Clinic.objects.filter(label=label).exclude(purged_at=None).first()
    if purged:
        return {"clinic": label, "state": purged.state, "certificate": purged.certificate}
    former = Domain.objects.filter(tenant__label=label, is_primary=False).order_by("domain")
    former_labels = [domain.domain for domain in former]  # evaluated here: the table is in public
    with clinic_context(label) as clinic:
        return _clinic_report(clinic, former_labels) | _key_report() | _sync_report()


def _clinic_report(clinic: Clinic, former_labels: list[str]) -> dict[str, Any]:
    return {
        "clinic": clinic.label,
        **_fields(clinic, "name state is_closed state_since state_reason closing_on"),
        "former_labels": former_labels,
        "url": clinic_url(clinic.label),
        "launch_url": clinic_url(clinic.label, "/patients"),
        "staff": User.objects.filter(is_active=True).count(),
    }


def _key_report() -> dict[str, Any]:
    stored = cliniko_connection.load()
    return {
        "key_state": stored.key_state,
        "key_last4": stored.key_last4,
        "account": stored.account_name,
        "key_user": stored.key_user_name,
        "key_role": stored.key_user_role,
        "connected_at": stored.connected_at,
        "requests_left": cliniko_connection.requests_left(),
    }


def _sync_report() -> dict[str, Any]:
    now = status.current()
    run = SyncRun.objects.order_by("-started_at").first()
    unreadable = RefusedPayload.objects.values_list("resource", "reason").annotate(Count("id")).order_by()
    cursor_fields = "imported_at cursor checked_at refused_at failures due_at asks_hidden"
    return {
        "sync_state": now.state,
        "sync_sentence": now.sentence,
        "sync_state_since": now.since,
        "sync_resumes_at": now.until,
        "counts": {resource.name: resource.model._default_manager.count() for resource in RESOURCES},
        "totals": dict(Cursor.objects.values_list("resource", "total")),
        "incomplete": {each.name: each.sentence for each in status.by_resource() if each.sentence},
        "refused_payloads": RefusedPayload.objects.count(),
        "refused_because": {f"{resource}: {reason}": count for resource, reason, count in unreadable},
        "cursors": {cursor.resource: _fields(cursor, cursor_fields) for cursor in Cursor.objects.order_by("resource")},
        "reconciles": {
            each.resource: {"under_way": each.after_id is not None}
            | _fields(each, "due_at finished_at compared mended")
            for each in Reconciliation.objects.order_by("resource")
        },
        "last_run": _fields(run, "started_at finished_at result reason resources") if run else None,
    }


def _fields(row: Model, names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names.split()}
