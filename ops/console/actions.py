"""What ops do with one clinic or with many at once: first a page that says what will happen, then it happens."""

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
from ops.console.access import OpsRequest, console_page
from ops.console.site import page
from ops.lifecycle import Changed
from ops.operators import as_clinics_see
from sync.cliniko.errors import ClinikoError
from tenants.context import NoSuchClinic
from tenants.labels import LabelRefused
from tenants.models import Clinic

REFUSALS = (onboarding.Refused, LabelRefused, NoSuchClinic, ClinikoError)
MOST_AT_ONCE = 200
Run = Callable[[str, dict[str, Any], Actor], Changed]


@dataclass(frozen=True)
class ConsoleAction:
    """`explains` says what will happen, for one clinic or many; `run` does it to the clinic of a label with what the
    form took. `recorded` is its line in ops' own log."""

    name: str
    button: str
    title: str
    explains: str
    run: Run
    recorded: Action
    fits: Callable[[Clinic], bool]
    form: type[forms.Form] = forms.Form
    danger: bool = False
    many: bool = True


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=200,
        label="Why",
        help_text="Whoever looks next reads it here, and the clinic in its log. Nothing of a patient.",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )


class LabelForm(forms.Form):
    new_label = forms.CharField(
        max_length=63,
        label="New subdomain",
        help_text="3 to 63 small letters, digits and dashes.",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )


class DayForm(forms.Form):
    on = forms.DateField(
        label="First day on which nobody gets in",
        help_text="It begins at midnight UTC.",
        widget=UnfoldAdminTextInputWidget({"type": "date"}),
    )


def _compare(label: str, taken: dict[str, Any], by: Actor) -> Changed:
    clinic = onboarding.compare(label, by=by)
    return Changed(label, clinic.state, True, f"{label} is compared with Cliniko, record by record, from now on.")


def _pause(label: str, taken: dict[str, Any], by: Actor) -> Changed:
    if onboarding.pause(label, by=by):
        return Changed(label, "", True, f"Copying from Cliniko is paused for {label}.")
    return Changed(label, "", False, f"{label} has nothing to pause: it has no key, or is paused already.")


def _unpause(label: str, taken: dict[str, Any], by: Actor) -> Changed:
    if onboarding.unpause(label, by=by):
        return Changed(label, "", True, f"Copying from Cliniko goes on for {label}.")
    return Changed(label, "", False, f"{label} is not paused.")


ACTIONS = {
    action.name: action
    for action in (
        ConsoleAction(
            "compare",
            "Sync anew",
            "Compare everything with Cliniko",
            "Every record is read from Cliniko again, and what differs is mended. Nothing is forgotten meanwhile, "
            "staff notice nothing, and launches keep their share of requests. A big clinic takes an hour or more.",
            _compare,
            Action.SYNC_RESUMED,
            lambda clinic: clinic.is_working,
        ),
        ConsoleAction(
            "pause",
            "Pause",
            "Pause copying from Cliniko",
            "Nothing is copied until somebody, here or at the clinic, lets it go on. Staff go on opening patients and "
            "read on every screen that copying is paused.",
            _pause,
            Action.SYNC_PAUSED,
            lambda clinic: clinic.is_working and clinic.sync_state not in ("paused", "no_key"),
        ),
        ConsoleAction(
            "unpause",
            "Unpause",
            "Let copying from Cliniko go on",
            "Copying goes on from where it was, and what has changed meanwhile is fetched.",
            _unpause,
            Action.SYNC_RESUMED,
            lambda clinic: clinic.is_working and clinic.sync_state == "paused",
        ),
        ConsoleAction(
            "rename",
            "Rename",
            "Give the clinic another subdomain",
            "The new address works at once, and the former one leads to it from then on; nobody else ever gets it. "
            "Passkeys count at the former address only: their owners sign in with password and code, and add new ones. "
            "The address of the button in Cliniko can be changed whenever it suits.",
            lambda label, taken, by: lifecycle.rename(label, taken["new_label"], by=by),
            Action.CLINIC_RENAMED,
            lambda clinic: True,
            form=LabelForm,
            many=False,
        ),
        ConsoleAction(
            "resume",
            "Resume",
            "Let the clinic work again",
            "Staff can sign in again, and the copy of Cliniko is brought up to date. A day on which it was to close is "
            "taken back.",
            lambda label, taken, by: lifecycle.resume(label, by=by),
            Action.CLINIC_RESUMED,
            lambda clinic: clinic.state in (Clinic.State.SUSPENDED, Clinic.State.CLOSING),
        ),
        ConsoleAction(
            "close",
            "Close",
            "Set the day the clinic closes",
            "Until that day everything works, and its owners can take their data along: they get a mail now, and 30, 7 "
            "and 1 days before. From that day on nobody gets in. Nothing is removed: that is `manage.py clinic purge`.",
            lambda label, taken, by: lifecycle.close(label, on=taken["on"], by=by),
            Action.CLINIC_CLOSING,
            lambda clinic: clinic.state != Clinic.State.SUSPENDED,
            form=DayForm,
            danger=True,
        ),
        ConsoleAction(
            "suspend",
            "Suspend",
            "Lock everybody out",
            "Nobody at the clinic gets in from this moment on; whoever is signed in is stopped at the next click. "
            "Nothing is synced. All that is held stays, the key too, and Resume brings it back; a day on which it was "
            "to close is to be set again.",
            lambda label, taken, by: lifecycle.suspend(label, reason=taken["reason"], by=by),
            Action.CLINIC_SUSPENDED,
            lambda clinic: clinic.state != Clinic.State.SUSPENDED,
            form=ReasonForm,
            danger=True,
        ),
    )
}
BULK = [action for action in ACTIONS.values() if action.many]


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def act(request: OpsRequest, name: str) -> HttpResponse:
    """The page that says what will happen, and on its form being sent, that."""
    action = ACTIONS.get(name)
    if action is None:
        raise Http404
    chosen = _chosen(request)
    if not chosen:
        messages.info(request, "Choose a clinic first.")
        return redirect("home")
    if not action.many and len(chosen) > 1:
        messages.warning(request, f"“{action.button}” is for one clinic at a time.")
        return redirect("home")
    form = action.form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        labels = [_do(request, action, clinic, form.cleaned_data) for clinic in chosen]
        return redirect("clinic", labels[0]) if len(labels) == 1 else redirect("home")
    return page(
        request,
        "ops/act.html",
        title=f"{action.title}?",
        status=422 if form.errors else 200,
        action=action,
        chosen=chosen,
        form=form,
        unfit=[clinic for clinic in chosen if not action.fits(clinic)],
    )


def _do(request: OpsRequest, action: ConsoleAction, clinic: Clinic, taken: dict[str, Any]) -> str:
    """Do it, both logs in the same transaction. The label that the clinic has afterwards.

    Wherever both logs are written that of ops comes first: of two people at one clinic neither waits in a circle.
    """
    told = {name: str(value) for name, value in taken.items()}
    try:
        with transaction.atomic():
            record(action.recorded, by=request.user, clinic=clinic.label, **told)
            done = action.run(clinic.label, taken, as_clinics_see(request.user))
            transaction.set_rollback(not done.changed)
    except REFUSALS as refused:
        messages.error(request, f"{clinic.label}: {refused}")
        return clinic.label
    except AuditUnavailable:  # of many chosen the others' turns come all the same
        messages.error(request, f"{clinic.label}: the log cannot be written, so nothing was changed. Try again.")
        return clinic.label
    messages.add_message(request, messages.SUCCESS if done.changed else messages.INFO, done.sentence)
    return done.clinic


def _chosen(request: OpsRequest) -> list[Clinic]:
    data = request.POST if request.method == "POST" else request.GET
    labels = data.getlist("clinic")[:MOST_AT_ONCE]
    return list(Clinic.objects.exclude(state=Clinic.State.PURGED).filter(label__in=labels).order_by("label"))


def address(action: str, *labels: str) -> str:
    """Where this action on these clinics is confirmed."""
    return f"{reverse('act', args=[action])}?{urlencode([('clinic', label) for label in labels])}"
