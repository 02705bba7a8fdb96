"""What ops do with one clinic or with many at once: first a page that says what will happen, then it happens."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from audit.log import Action, Actor, record
from ops import clinics
from ops.console.access import OpsRequest, as_clinics_see, console_page
from sync.errors import ClinikoError
from tenants.context import NoSuchClinic
from tenants.labels import LabelRefused
from tenants.models import Clinic

REFUSALS = (clinics.Refused, LabelRefused, NoSuchClinic, ClinikoError)
MOST_AT_ONCE = 200
Run = Callable[[str, dict[str, Any], Actor], str]


@dataclass(frozen=True)
class ConsoleAction:
    """`explains` says what will happen, for one clinic or many; `run` does it to the clinic of a label with what the
    form took, and gives a sentence. `recorded` is its line in ops' own log."""

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


def _compare(label: str, _: dict[str, Any], by: Actor) -> str:
    clinics.compare(label, by=by)
    return f"{label} is compared with Cliniko, record by record, from the next minute on."


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
    context = {"action": action, "chosen": chosen, "form": form, "unfit": [c for c in chosen if not action.fits(c)]}
    return render(request, "ops/act.html", context, status=422 if form.errors else 200)


def _do(request: OpsRequest, action: ConsoleAction, clinic: Clinic, taken: dict[str, Any]) -> str:
    """Do it, both logs in the same transaction. The label that the clinic has afterwards."""
    try:
        with transaction.atomic():
            sentence = action.run(clinic.label, taken, as_clinics_see(request.user))
            told = {name: str(value) for name, value in taken.items()}
            record(action.recorded, by=request.user, clinic=clinic.label, **told)
    except REFUSALS as refused:
        messages.error(request, f"{clinic.label}: {refused}")
    else:
        messages.success(request, sentence)
    clinic.refresh_from_db(fields=["label"])
    return clinic.label


def _chosen(request: OpsRequest) -> list[Clinic]:
    data = request.POST if request.method == "POST" else request.GET
    labels = data.getlist("clinic")[:MOST_AT_ONCE]
    return list(Clinic.objects.exclude(state=Clinic.State.PURGED).filter(label__in=labels).order_by("label"))


def address(action: str, label: str) -> str:
    """Where this action on this clinic is confirmed."""
    return f"{reverse('act', args=[action])}?clinic={label}"
