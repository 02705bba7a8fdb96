"""Who works here: the list of staff, inviting, and the page where an invited person chooses a password."""

from smtplib import SMTPException
from typing import Any, cast

from allauth.account.utils import perform_login
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import invitations, tickets
from accounts.forms import AcceptForm, InviteForm
from accounts.models import User
from accounts.roles import INVITABLE, Permission, permission_required
from accounts.views import onward


@require_safe
@permission_required(Permission.MANAGE_STAFF)
def staff(request: HttpRequest) -> HttpResponse:
    return _staff_page(request, _invite_form(request))


@require_POST
@permission_required(Permission.MANAGE_STAFF)
def invite(request: HttpRequest) -> HttpResponse:
    form = _invite_form(request, request.POST)
    if not form.is_valid():
        return _staff_page(request, form, status=422)
    try:
        invitation, url = invitations.invite(**form.cleaned_data, invited_by=_person(request))
    except invitations.InvitationRefused as refused:
        form.add_error(None, str(refused))
        return _staff_page(request, form, status=422)
    try:
        invitations.send(invitation, url)
    except (OSError, SMTPException):
        # The link is shown once, to the person who may hand it out.
        return _staff_page(request, _invite_form(request), unsent={"email": invitation.email, "url": url})
    messages.success(request, f"An invitation is on its way to {invitation.email}.")
    return redirect("staff")


@require_POST
@permission_required(Permission.MANAGE_STAFF)
def revoke(request: HttpRequest, invitation_id: int) -> HttpResponse:
    if invitations.revoke(invitation_id):
        messages.success(request, "The invitation is taken back. Its link no longer works.")
    else:
        messages.info(request, "That invitation was used or taken back before.")
    return redirect("staff")


@login_not_required
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    try:
        invited = invitations.find(token)
        form = AcceptForm(request.POST or None, email=invited.email)
        if not form.is_valid():
            context = {"form": form, "invitation": invited, "ticket": tickets.carried_by(request)}
            return render(request, "accounts/invitation.html", context)
        person = invitations.accept(token, form.cleaned_data["name"], form.cleaned_data["password1"])
    except invitations.InvitationRefused as refused:
        status = 404 if isinstance(refused, invitations.UnknownInvitation) else 410
        return render(request, "accounts/invitation_refused.html", {"reason": str(refused)}, status=status)
    return _sign_in(request, person)


def _sign_in(request: HttpRequest, person: User) -> HttpResponse:
    return onward(request, perform_login(request, person, redirect_url=reverse("home")))


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)  # permission_required let nobody else in


def _invite_form(request: HttpRequest, data: Any = None) -> InviteForm:
    return InviteForm(data, roles=INVITABLE[_person(request).role])


def _staff_page(
    request: HttpRequest, form: InviteForm, *, unsent: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "unsent": unsent,
        "people": User.objects.order_by("-is_active", "name", "email"),
        "invitations": invitations.pending().select_related("invited_by").order_by("email"),
        "now": timezone.now(),
    }
    return render(request, "accounts/staff.html", context, status=status)
