"""What ops do with clinics, one function each: the service under commands and console alike."""

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count

from accounts import invitations
from accounts.models import Invitation, User, clean_email
from accounts.roles import Role
from audit.log import OPS, Action, Actor, record
from ops import clinic_staff
from ops.errors import Refused, require_work
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
class Onboarded:
    """A new clinic's addresses. The invitation's is secret: it makes its reader the owner."""

    clinic: str
    url: str
    launch_url: str
    invite_url: str
    mailed: bool = True


class AlreadyThere(Refused):
    """The very clinic that was asked for is there, with that label and owner. Nothing was done."""


def create(label: str, *, name: str, owner_email: str, by: Actor = OPS, dry_run: bool = False) -> Onboarded:
    """Make a clinic: its row, domain, schema, tables and the owner's invitation, all in one transaction.

    Killed half-way it leaves nothing, and so does a dry run, which has no invitation. Raises LabelRefused, Refused and
    AlreadyThere.
    """
    check_label(label)
    if not name.strip():
        raise Refused("The clinic needs a name.")
    if len(name.strip()) > 200:
        raise Refused("The name is longer than 200 characters.")
    clinic_staff.check_address(owner_email)
    try:
        with transaction.atomic():
            clinic = Clinic.objects.create(label=label, name=name.strip(), state=Clinic.State.SETUP)
            Domain.objects.create(domain=label, tenant=clinic)
            clinic.create_schema(verbosity=0)
            with enter_clinic(clinic):
                invitation, invite_url = invitations.invite(email=owner_email, role=Role.OWNER, for_ops=by)
            transaction.set_rollback(dry_run)
    except IntegrityError:
        if not Domain.objects.filter(domain=label).exists():
            raise
        again = _already_there(label, name.strip(), clean_email(owner_email))
        if again:
            raise AlreadyThere(again) from None
        raise Refused(f"The subdomain {label!r} is taken.") from None
    if dry_run:
        return Onboarded(**addresses(label), invite_url="", mailed=False)
    with enter_clinic(clinic):
        mailed = clinic_staff.mail(invitation, invite_url)
    return Onboarded(**addresses(label), invite_url=invite_url, mailed=mailed)


def addresses(label: str) -> dict[str, str]:
    return {"clinic": label, "url": clinic_url(label), "launch_url": clinic_url(label, "/patients")}


def _already_there(label: str, name: str, email: str) -> str:
    """What to say when this is a clinic whose owner that is, or was invited to be; "" for another one. Its name is the
    one that was typed for as long as it has none from Cliniko."""
    clinic = Clinic.objects.exclude(state=Clinic.State.PURGED).filter(label=label).first()
    if clinic is None:
        return ""
    with enter_clinic(clinic):
        if clinic.name != name and cliniko_connection.load().connected_at is None:
            return ""
        if User.objects.filter(email=email, role=Role.OWNER).exists():
            return f"{label} is there already, as {clinic.name}, and {email} is its owner."
        if Invitation.objects.filter(email=email, role=Role.OWNER, accepted_at=None, revoked_at=None).exists():
            again = f"`clinic invite {label} --email {email} --role owner` makes a new link"
            return f"{label} is there already, as {clinic.name}, and {email} is invited: {again}."
    return ""


def set_key(label: str, key: ApiKey, *, confirm_other_account: bool = False, dry_run: bool = False) -> Connected:
    """Try the key with Cliniko, store it, and make the clinic due. Raises NoSuchClinic and ClinikoError."""
    with clinic_context(label):
        if dry_run:
            return connect.check_key(key, confirm_other_account=confirm_other_account)
        return connect.connect(key, by=OPS, confirm_other_account=confirm_other_account)


def compare(label: str, *, by: Actor) -> Clinic:
    """Have everything compared with Cliniko again by the workers, and mended. Raises NoSuchClinic, NoKey, Refused."""
    with clinic_context(label) as clinic, transaction.atomic():
        require_work(clinic)
        try:
            controls.compare()
        except controls.SyncUnavailable as not_now:
            raise Refused(str(not_now)) from None
        record(Action.SYNC_RESUMED, by=by, what="everything is compared with Cliniko")
        return clinic


def pause(label: str, *, by: Actor) -> bool:
    """Stop copying from Cliniko until somebody lets it go on. False when it was paused before, or there is no key.
    Raises NoSuchClinic."""
    with clinic_context(label):
        return controls.pause(by=by)


def unpause(label: str, *, by: Actor) -> bool:
    """Let copying go on. False when it was not paused. Raises NoSuchClinic."""
    with clinic_context(label):
        return controls.resume(by=by)


def listing() -> list[dict[str, Any]]:
    """Every clinic there is, by label, as the public schema knows it; one whose purge was killed is still there."""
    clinics = Clinic.objects.filter(purged_at=None).order_by("label")
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
        for clinic in clinics
    ]


def report(label: str) -> dict[str, Any]:
    """How one clinic stands: states, counts, cursors, last run; of the key its state and last four characters only. Of
    one that was purged its certificate."""
    purged = Clinic.objects.filter(label=label).exclude(purged_at=None).first()
    if purged:
        return {"clinic": label, "state": purged.state, "certificate": purged.certificate}
    former = Domain.objects.filter(tenant__label=label, is_primary=False).order_by("domain")
    former_labels = [domain.domain for domain in former]  # on public: they are not to be read inside
    with clinic_context(label) as clinic:
        return _itself(clinic, former_labels) | _its_key() | _its_mirror()


def _itself(clinic: Clinic, former_labels: list[str]) -> dict[str, Any]:
    return {
        "clinic": clinic.label,
        "name": clinic.name,
        "state": clinic.state,
        "is_closed": clinic.is_closed,
        "state_since": clinic.state_since,
        "state_reason": clinic.state_reason,
        "closing_on": clinic.closing_on,
        "former_labels": former_labels,
        "url": clinic_url(clinic.label),
        "launch_url": clinic_url(clinic.label, "/patients"),
        "staff": User.objects.filter(is_active=True).count(),
    }


def _its_key() -> dict[str, Any]:
    held = cliniko_connection.load()
    return {
        "key_state": held.key_state,
        "key_last4": held.key_last4,
        "account": held.account_name,
        "key_user": held.key_user_name,
        "key_role": held.key_user_role,
        "connected_at": held.connected_at,
        "requests_left": cliniko_connection.requests_left(),
    }


def _its_mirror() -> dict[str, Any]:
    now = status.current()
    run = SyncRun.objects.order_by("-started_at").first()
    return {
        "sync_state": now.state,
        "sync_sentence": now.sentence,
        "sync_state_since": now.since,
        "sync_resumes_at": now.until,
        "counts": {resource.name: resource.model._default_manager.count() for resource in RESOURCES},
        "totals": dict(Cursor.objects.values_list("resource", "total")),
        "incomplete": {each.name: each.sentence for each in status.by_resource() if each.sentence},
        "refused_payloads": RefusedPayload.objects.count(),
        "refused_because": _reasons(),
        "cursors": {cursor.resource: _cursor(cursor) for cursor in Cursor.objects.order_by("resource")},
        "reconciles": {each.resource: _reconcile(each) for each in Reconciliation.objects.order_by("resource")},
        "last_run": _run(run) if run else None,
    }


def _cursor(cursor: Cursor) -> dict[str, Any]:
    return {
        "imported_at": cursor.imported_at,
        "cursor": cursor.cursor,
        "checked_at": cursor.checked_at,
        "refused_at": cursor.refused_at,
        "failures": cursor.failures,
        "due_at": cursor.due_at,
        "asks_hidden": cursor.asks_hidden,
    }


def _reasons() -> dict[str, int]:
    """How many records could not be read, by resource and reason; whose they are stays in the clinic's schema."""
    counted = RefusedPayload.objects.values_list("resource", "reason").annotate(Count("id")).order_by()
    return {f"{resource}: {reason}": count for resource, reason, count in counted}


def _reconcile(state: Reconciliation) -> dict[str, Any]:
    return {
        "under_way": state.after_id is not None,
        "due_at": state.due_at,
        "finished_at": state.finished_at,
        "compared": state.compared,
        "mended": state.mended,
    }


def _run(run: SyncRun) -> dict[str, Any]:
    return {
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "result": run.result,
        "reason": run.reason,
        "resources": run.resources,
    }
