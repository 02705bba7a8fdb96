"""Actions on one or several clinics: a confirmation page says what will happen, then it's done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminTextInputWidget

from audit.log import Action, Actor, AuditUnavailable, record
from ops import lifecycle, onboarding
from ops.console.access import OperatorRequest, console_view
from ops.console.site import page
from ops.errors import Refused
from ops.lifecycle import StateChange
from ops.operators import clinic_log_actor
from sync.cliniko.errors import ClinikoError
from tenants.context import NoSuchClinic
from tenants.labels import LabelRefused
from tenants.models import Clinic

REFUSALS = (Refused, LabelRefused, NoSuchClinic, ClinikoError)
MAX_CLINICS = 200


@dataclass(frozen=True)
class ConsoleAction:
    """An action, run with a clinic's label, the form's data and who does it.

    `title` is the confirmation page's heading, with a place for the clinic's name. `audit_action` is recorded in the
    operators' log; `run` records its own event at the clinic.
    """

    name: str
    button: str
    title: str
    explanation: str
    run: Callable[[str, dict[str, Any], Actor], StateChange]
    audit_action: Action
    applies_to: Callable[[Clinic], bool]
    form: type[forms.Form] = forms.Form
    danger: bool = False
    bulk: bool = True


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=200,
        label="Reason",
        help_text="Shown here and in the clinic's access log. Don't include anything about a patient.",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )


class LabelForm(forms.Form):
    new_label = forms.CharField(
        max_length=63,
        label="New subdomain",
        help_text="3 to 63 lowercase letters, digits and hyphens.",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )


class DayForm(forms.Form):
    on = forms.DateField(
        label="First day closed",
        help_text="From midnight UTC.",
        widget=UnfoldAdminTextInputWidget({"type": "date"}),
    )


def _resync(label: str, data: dict[str, Any], by: Actor) -> StateChange:
    clinic = onboarding.resync(label, by=by)
    return StateChange(label, clinic.state, True, f"Every record of {label} is being compared with Cliniko.")


def _pause_sync(label: str, data: dict[str, Any], by: Actor) -> StateChange:
    if onboarding.pause_sync(label, by=by):
        return StateChange(label, "", True, f"The sync of {label} is paused.")
    return StateChange(label, "", False, f"{label} has no sync to pause: it has no key, or is already paused.")


def _resume_sync(label: str, data: dict[str, Any], by: Actor) -> StateChange:
    if onboarding.resume_sync(label, by=by):
        return StateChange(label, "", True, f"The sync of {label} continues.")
    return StateChange(label, "", False, f"The sync of {label} isn't paused.")


ACTIONS = {
    action.name: action
    for action in (
        ConsoleAction(
            "compare",
            "Resync",
            "Resync {}?",
            "Every record is read from Cliniko again, and differences are fixed. Nothing is deleted first, staff don't "
            "notice, and launches keep their share of requests. A large clinic takes an hour or more.",
            _resync,
            Action.SYNC_RESUMED,
            lambda clinic: clinic.is_working,
        ),
        ConsoleAction(
            "pause",
            "Pause sync",
            "Pause the sync of {}?",
            "Nothing is copied from Cliniko until the sync is resumed, here or by the clinic. Staff can still open "
            "patients, and every page says that the sync is paused.",
            _pause_sync,
            Action.SYNC_PAUSED,
            lambda clinic: clinic.is_working and clinic.sync_state not in ("paused", "no_key"),
        ),
        ConsoleAction(
            "unpause",
            "Resume sync",
            "Resume the sync of {}?",
            "The sync continues where it stopped and fetches what has changed since.",
            _resume_sync,
            Action.SYNC_RESUMED,
            lambda clinic: clinic.is_working and clinic.sync_state == "paused",
        ),
        ConsoleAction(
            "rename",
            "Rename",
            "Rename {}?",
            "The new address works straight away. The old one redirects to it, and no other clinic can ever have it. "
            "Passkeys only work at the old address: their owners sign in with password and code, and add new ones. "
            "The button's address in Cliniko can be changed at any time.",
            lambda label, data, by: lifecycle.rename(label, data["new_label"], by=by),
            Action.CLINIC_RENAMED,
            lambda clinic: True,
            form=LabelForm,
            bulk=False,
        ),
        ConsoleAction(
            "resume",
            "Resume",
            "Resume {}?",
            "Staff can sign in again, and the copy of Cliniko is brought up to date. A closing date is cancelled.",
            lambda label, data, by: lifecycle.resume(label, by=by),
            Action.CLINIC_RESUMED,
            lambda clinic: clinic.state in (Clinic.State.SUSPENDED, Clinic.State.CLOSING),
        ),
        ConsoleAction(
            "close",
            "Close",
            "Close {}?",
            "Everything works until that day, and owners can export their data: they're emailed now, and 30, 7 and 1 "
            "days before. From that day no one can sign in. Nothing is deleted: that is `manage.py clinic purge`.",
            lambda label, data, by: lifecycle.close(label, on=data["on"], by=by),
            Action.CLINIC_CLOSING,
            lambda clinic: clinic.state != Clinic.State.SUSPENDED,
            form=DayForm,
            danger=True,
        ),
        ConsoleAction(
            "suspend",
            "Suspend",
            "Suspend {}?",
            "Everyone at the clinic is signed out at their next click, and no one can sign in. Nothing syncs. All data "
            "stays, including the API key, and Resume undoes it; a closing date has to be set again.",
            lambda label, data, by: lifecycle.suspend(label, reason=data["reason"], by=by),
            Action.CLINIC_SUSPENDED,
            lambda clinic: clinic.state != Clinic.State.SUSPENDED,
            form=ReasonForm,
            danger=True,
        ),
    )
}
BULK_ACTIONS = [action for action in ACTIONS.values() if action.bulk]


@require_http_methods(["GET", "HEAD", "POST"])
@console_view
def confirm(request: OperatorRequest, name: str) -> HttpResponse:
    """Show what the action will do; on POST, do it."""
    action = ACTIONS.get(name)
    if action is None:
        raise Http404
    labels = (request.POST if request.method == "POST" else request.GET).getlist("clinic")[:MAX_CLINICS]
    clinics = list(Clinic.objects.exclude(state=Clinic.State.PURGED).filter(label__in=labels).order_by("label"))
    if not clinics:
        messages.info(request, "Select a clinic first.")
        return redirect("home")
    if not action.bulk and len(clinics) > 1:
        messages.warning(request, f"“{action.button}” works for one clinic at a time.")
        return redirect("home")
    form = action.form(request.POST if request.method == "POST" else None)
    if form.is_valid():
        changed = [_run(request, action, clinic, form.cleaned_data) for clinic in clinics]
        return redirect("clinic", changed[0]) if len(changed) == 1 else redirect("home")
    return page(
        request,
        "ops/action.html",
        title=action.title.format(clinics[0].name if len(clinics) == 1 else f"{len(clinics)} clinics"),
        action=action,
        clinics=clinics,
        form=form,
        not_applicable=[clinic for clinic in clinics if not action.applies_to(clinic)],
    )


def _run(request: OperatorRequest, action: ConsoleAction, clinic: Clinic, data: dict[str, Any]) -> str:
    """Run the action and record it in both logs, in one transaction. Return the clinic's label afterwards.

    The operators' log always comes first, so that two operators at one clinic can't deadlock.
    """
    details = {name: str(value) for name, value in data.items()}
    try:
        with transaction.atomic():
            record(action.audit_action, by=request.user, clinic=clinic.label, **details)
            done = action.run(clinic.label, data, clinic_log_actor(request.user))
            transaction.set_rollback(not done.changed)
    except REFUSALS as refused:
        messages.error(request, f"{clinic.label}: {refused}")
        return clinic.label
    except AuditUnavailable:  # the other clinics still get their turn
        messages.error(request, f"{clinic.label}: the access log can't be written, so nothing was changed. Try again.")
        return clinic.label
    messages.add_message(request, messages.SUCCESS if done.changed else messages.INFO, done.sentence)
    return done.clinic


def confirmation_url(action: str, *labels: str) -> str:
    """Return the URL of the confirmation page for these clinics."""
    return f"{reverse('console_action', args=[action])}?{urlencode([('clinic', label) for label in labels])}"
