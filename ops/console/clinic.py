"""One clinic in the console: how it stands, and making and inviting. Nothing of a patient, and no key."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import DatabaseError, transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.roles import Role
from audit.log import Action, record
from ops import break_glass, clinic_staff, onboarding
from ops.console.access import OpsRequest, console_page
from ops.console.actions import ACTIONS, REFUSALS, address
from ops.console.site import page
from ops.monitoring import daily_stats
from ops.operators import Invited, as_clinics_see
from tenants.context import NoSuchClinic, find_clinic
from tenants.hosts import clinic_url
from tenants.models import Clinic

_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class NewClinicForm(forms.Form):
    name = forms.CharField(
        max_length=200,
        label="Name",
        help_text="As staff read it, until Cliniko's own name is known.",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )
    label = forms.CharField(
        max_length=63,
        label="Subdomain",
        help_text="3 to 63 small letters, digits and dashes. It stays taken for good.",
        widget=UnfoldAdminTextInputWidget(_PLAIN | {"autocapitalize": "none"}),
    )
    owner_email = forms.EmailField(
        max_length=254, label="The owner's e-mail address", widget=UnfoldAdminEmailInputWidget(_PLAIN)
    )


class InviteForm(forms.Form):
    email = forms.EmailField(max_length=254, label="E-mail address", widget=UnfoldAdminEmailInputWidget(_PLAIN))
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.OWNER, widget=UnfoldAdminSelectWidget)


@require_safe
@console_page
def clinic(request: OpsRequest, label: str) -> HttpResponse:
    found = clinic_or_404(label)
    now = timezone.now()
    try:
        with transaction.atomic():
            report: dict[str, Any] | None = onboarding.report(label)
    except DatabaseError:  # its tables are behind, or being moved: what public knows is shown all the same
        report = None
    return page(
        request,
        "ops/clinic.html",
        title=found.name,
        found=found,
        report=report,
        look=break_glass.current(found, request.user),
        charts=[daily_stats.launches(now, found), daily_stats.lag(now, found)],
        actions=[(action, address(action.name, label)) for action in ACTIONS.values() if action.fits(found)],
    )


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def new(request: OpsRequest) -> HttpResponse:
    form = NewClinicForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _new(request, form)
    taken = form.cleaned_data
    by, whom = as_clinics_see(request.user), taken["owner_email"]
    try:
        with transaction.atomic():
            record(Action.INVITED, by=request.user, new_clinic=taken["label"], whom=whom, role=Role.OWNER)
            made = onboarding.create(taken["label"], name=taken["name"], owner_email=whom, by=by)
    except REFUSALS as refused:
        form.add_error(None, str(refused))
        return _new(request, form)
    messages.success(request, f"{made.clinic} is there.")
    return _invited(request, made.clinic, Invited(whom, made.invite_url, made.mailed))


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def invite(request: OpsRequest, label: str) -> HttpResponse:
    found = clinic_or_404(label)
    form = InviteForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        whom, role = form.cleaned_data["email"], form.cleaned_data["role"]
        try:
            with transaction.atomic():
                record(Action.INVITED, by=request.user, clinic=label, whom=whom, role=role)
                url, mailed = clinic_staff.invite(label, email=whom, role=role, by=as_clinics_see(request.user))
        except REFUSALS as refused:
            form.add_error(None, str(refused))
        else:
            return _invited(request, label, Invited(whom, url, mailed))
    title = f"Invite somebody to {found.name}"
    return page(request, "ops/invite.html", title=title, status=422 if form.errors else 200, found=found, form=form)


def _new(request: OpsRequest, form: NewClinicForm) -> HttpResponse:
    status = 422 if form.errors else 200
    return page(request, "ops/new.html", title="New clinic", status=status, form=form, approval=_approval())


def _approval() -> str:
    """What Cliniko is asked for once, so that no clinic reads that the address of its button is not trusted."""
    return (
        f"Please approve this App URL for the connected patient app {settings.CLINIKO_APP_NAME}, for every account: "
        f"{clinic_url('*', '/patients')} (the * stands for letters, digits and dashes of one level)."
    )


def clinic_or_404(label: str) -> Clinic:
    try:
        return find_clinic(label)
    except NoSuchClinic:
        raise Http404 from None


def _invited(request: OpsRequest, label: str, invited: Invited) -> HttpResponse:
    """Back to the clinic. A link that could not be mailed is shown, once, to whoever may hand it over."""
    if invited.mailed:
        messages.success(request, f"An invitation is on its way to {invited.email}.")
        return redirect("clinic", label)
    return page(request, "ops/unsent.html", title="The mail could not be sent", label=label, invited=invited)
