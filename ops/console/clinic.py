"""One clinic's page, creating a clinic and inviting its staff. No patient data and no API keys."""

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

from accounts.forms import InviteForm
from accounts.roles import Role
from audit.log import Action, record
from ops import break_glass, clinic_staff, onboarding
from ops.console.access import OperatorRequest, console_view
from ops.console.actions import ACTIONS, REFUSALS, confirmation_url
from ops.console.site import page
from ops.monitoring import daily_stats
from ops.operators import SentInvitation, clinic_log_actor
from tenants.context import NoSuchClinic, find_clinic
from tenants.hosts import clinic_url
from tenants.models import Clinic

_NO_AUTOFILL = {"autocomplete": "off", "spellcheck": "false"}


class NewClinicForm(forms.Form):
    name = forms.CharField(
        max_length=200,
        label="Name",
        help_text="Shown to staff until Cliniko is connected and gives the clinic's own name.",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )
    label = forms.CharField(
        max_length=63,
        label="Subdomain",
        help_text="3 to 63 lowercase letters, digits and hyphens. It stays taken for good.",
        widget=UnfoldAdminTextInputWidget(_NO_AUTOFILL | {"autocapitalize": "none"}),
    )
    owner_email = forms.EmailField(
        max_length=254, label="The owner's email", widget=UnfoldAdminEmailInputWidget(_NO_AUTOFILL)
    )


@require_safe
@console_view
def clinic(request: OperatorRequest, label: str) -> HttpResponse:
    clinic = clinic_or_404(label)
    now = timezone.now()
    try:
        with transaction.atomic():
            report: dict[str, Any] | None = onboarding.report(label)
    except DatabaseError:  # the schema isn't migrated, or is being restored: show what public has
        report = None
    actions = [each for each in ACTIONS.values() if each.applies_to(clinic)]
    return page(
        request,
        "ops/clinic.html",
        title=clinic.name,
        clinic=clinic,
        report=report,
        grant=break_glass.active_grant(clinic, request.user),
        charts=[daily_stats.launch_chart(now, clinic), daily_stats.lag_chart(now, clinic)],
        actions=[(each, confirmation_url(each.name, label)) for each in actions],
    )


@require_http_methods(["GET", "HEAD", "POST"])
@console_view
def new(request: OperatorRequest) -> HttpResponse:
    form = NewClinicForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        label, owner = form.cleaned_data["label"], form.cleaned_data["owner_email"]
        try:
            with transaction.atomic():
                record(Action.INVITED, by=request.user, new_clinic=label, person=owner, role=Role.OWNER)
                made = onboarding.create(
                    label, name=form.cleaned_data["name"], owner_email=owner, by=clinic_log_actor(request.user)
                )
        except REFUSALS as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, f"{made.clinic} was created.")
            return _show_invited(request, made.clinic, SentInvitation(owner, made.invite_url, made.mailed))
    approval = (
        f"Please approve this App URL for the connected patient app {settings.CLINIKO_APP_NAME}, for every account: "
        f"{clinic_url('*', '/patients')} (the * stands for letters, digits and hyphens, one level)."
    )
    return page(request, "ops/new.html", title="New clinic", form=form, approval=approval)


@require_http_methods(["GET", "HEAD", "POST"])
@console_view
def invite(request: OperatorRequest, label: str) -> HttpResponse:
    clinic = clinic_or_404(label)
    form = InviteForm(
        request.POST if request.method == "POST" else None,
        roles=tuple(Role),
        usual_role=Role.OWNER,
        email_widget=UnfoldAdminEmailInputWidget,
        role_widget=UnfoldAdminSelectWidget,
    )
    if form.is_valid():
        email, role = form.cleaned_data["email"], form.cleaned_data["role"]
        try:
            with transaction.atomic():
                record(Action.INVITED, by=request.user, clinic=label, person=email, role=role)
                url, sent = clinic_staff.invite(label, email=email, role=role, by=clinic_log_actor(request.user))
        except REFUSALS as refused:
            form.add_error(None, str(refused))
        else:
            return _show_invited(request, label, SentInvitation(email, url, sent))
    return page(request, "ops/invite.html", title=f"Invite staff to {clinic.name}", clinic=clinic, form=form)


def clinic_or_404(label: str) -> Clinic:
    try:
        return find_clinic(label)
    except NoSuchClinic:
        raise Http404 from None


def _show_invited(request: OperatorRequest, label: str, invited: SentInvitation) -> HttpResponse:
    """Redirect to the clinic. If the email failed, show the link once instead, so the operator can pass it on."""
    if invited.mailed:
        messages.success(request, f"An invitation was emailed to {invited.email}.")
        return redirect("clinic", label)
    return page(request, "ops/invitation_link.html", title="The email couldn't be sent", label=label, invited=invited)
