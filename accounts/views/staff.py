"""The staff page: roles, suspension and invitations. And the page where an invited person accepts."""

from collections.abc import Callable
from functools import partial
from smtplib import SMTPException
from typing import Any

from allauth.account.utils import perform_login
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import emails, invitations, second_factors, staff, tickets
from accounts.forms import AcceptInvitationForm, InviteForm
from accounts.models import Invitation, User
from accounts.reauthentication import reauthentication_required
from accounts.roles import Permission, Role, grantable_roles, may, permission_required, permission_table
from accounts.sessions import SignedInRequest
from accounts.views.sign_in import continue_sign_in


@require_safe
@permission_required(Permission.MANAGE_STAFF)
def page(request: SignedInRequest) -> HttpResponse:
    return _staff_page(request)


@require_POST
@permission_required(Permission.MANAGE_STAFF)
def change_role(request: SignedInRequest, user_id: int) -> HttpResponseBase:
    if request.POST.get("role") not in Role.values:
        raise BadRequest
    role = Role(request.POST["role"])
    return (_make_owner if role == Role.OWNER else _change_role)(request, user_id, role)


def _change_role(request: SignedInRequest, user_id: int, role: Role) -> HttpResponse:
    return _change(request, user_id, partial(staff.change_role, role=role), f"is now {role.label}")


_make_owner = reauthentication_required(_change_role)


@require_POST
@permission_required(Permission.MANAGE_STAFF)
def suspend(request: SignedInRequest, user_id: int) -> HttpResponse:
    return _change(request, user_id, staff.suspend, "is suspended and signed out")


@require_POST
@permission_required(Permission.MANAGE_STAFF)
def reinstate(request: SignedInRequest, user_id: int) -> HttpResponse:
    return _change(request, user_id, staff.reinstate, "can sign in again")


@require_POST
@permission_required(Permission.MANAGE_STAFF)
def invite(request: SignedInRequest) -> HttpResponseBase:
    form = InviteForm(request.POST, roles=grantable_roles(request.user))
    if not form.is_valid():
        return _staff_page(request, form, status=422)
    return (_invite_owner if form.cleaned_data["role"] == Role.OWNER else _invite)(request, form)


def _invite(request: SignedInRequest, form: InviteForm) -> HttpResponse:
    try:
        invitation, url = invitations.invite(**form.cleaned_data, invited_by=request.user)
    except invitations.InvitationRefused as refused:
        form.add_error(None, str(refused))
        return _staff_page(request, form, status=422)
    return _send(request, invitation, url)


_invite_owner = reauthentication_required(_invite)


@require_POST
@permission_required(Permission.MANAGE_STAFF)
def resend(request: SignedInRequest, invitation_id: int) -> HttpResponse:
    """Email a new link. The earlier one no longer works."""
    try:
        invitation, url = invitations.reissue(invitation_id, by=request.user)
    except invitations.InvitationRefused as refused:
        messages.warning(request, str(refused))
        return redirect("staff")
    return _send(request, invitation, url)


@require_POST
@permission_required(Permission.MANAGE_STAFF)
def revoke(request: SignedInRequest, invitation_id: int) -> HttpResponse:
    try:
        if invitations.revoke(invitation_id, by=request.user):
            messages.success(request, "Invitation cancelled. Its link no longer works.")
        else:
            messages.info(request, "That invitation has already been used or cancelled.")
    except invitations.InvitationRefused as refused:
        messages.warning(request, str(refused))
    return redirect("staff")


@login_not_required
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    try:
        invited = invitations.find(token)
        form = AcceptInvitationForm(request.POST or None, email=invited.email)
        if not form.is_valid():
            context = {"form": form, "invitation": invited, "ticket": tickets.from_request(request)}
            return render(request, "accounts/invitation.html", context)
        user = invitations.accept(token, form.cleaned_data["name"], form.cleaned_data["password1"])
    except invitations.InvitationRefused as refused:
        status = 404 if isinstance(refused, invitations.UnknownInvitation) else 410
        return render(request, "accounts/invitation_refused.html", {"reason": str(refused)}, status=status)
    response = continue_sign_in(request, perform_login(request, user, redirect_url=reverse("home")))
    if may(request.user, Permission.VIEW_SETTINGS) and not tickets.from_request(request):
        return redirect("onboarding")
    return response


def _change(request: SignedInRequest, user_id: int, change: Callable[..., None], outcome: str) -> HttpResponse:
    person, by = get_object_or_404(User, pk=user_id), request.user
    try:
        change(person, by=by)
    except staff.ChangeRefused as refused:
        messages.warning(request, str(refused))
    else:
        messages.success(request, f"{person.name} {outcome}.")
    by.refresh_from_db()
    return redirect("staff" if may(by, Permission.MANAGE_STAFF) else "home")  # owners can give up their own role


def _send(request: SignedInRequest, invitation: Invitation, url: str) -> HttpResponse:
    try:
        emails.send_invitation(invitation, url)
    except (OSError, SMTPException):
        # The link is shown this once, to the person who created the invitation.
        return _staff_page(request, unsent={"email": invitation.email, "url": url})
    messages.success(request, f"We've emailed an invitation to {invitation.email}.")
    return redirect("staff")


def _staff_page(
    request: SignedInRequest, form: InviteForm | None = None, *, unsent: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    roles = grantable_roles(request.user)
    pending = invitations.pending().select_related("invited_by").order_by("email")
    context = {
        "form": form or InviteForm(roles=roles),
        "unsent": unsent,
        "people": _people(request.user),
        "invitations": [{"invitation": each, "may_change": each.role in roles} for each in pending],
        "now": timezone.now(),
        "roles": Role,
        "table": permission_table(),
    }
    return render(request, "accounts/staff.html", context, status=status)


def _people(by: User) -> list[dict[str, Any]]:
    """Return every user and what `by` may change about them."""
    with_factor = second_factors.user_ids()
    return [
        {
            "person": person,
            "has_factor": person.pk in with_factor,
            "roles": staff.roles_for(person, by=by),
            "may_suspend": staff.may_suspend(person, by=by),
        }
        for person in User.objects.order_by("-is_active", "name", "email")
    ]
