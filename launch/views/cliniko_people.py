"""Invite Cliniko's users: a part of the staff page, or a page of its own without JavaScript."""

from smtplib import SMTPException

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts import emails, invitations
from accounts.forms import InviteForm
from accounts.reauthentication import reauthentication_required
from accounts.roles import Permission, Role, grantable_roles, permission_required
from launch import messages as texts
from launch.cliniko_people import compare
from launch.http import StaffRequest

MOST_AT_ONCE = 20  # each is an email that is sent while the page waits


@permission_required(Permission.MANAGE_STAFF)
@require_safe
def people(request: StaffRequest) -> HttpResponse:
    """Show who could be invited, and who has left."""
    template = "launch/_cliniko_people.html" if request.htmx else "launch/cliniko_people.html"
    roles = grantable_roles(request.user)
    context = {"found": compare(by=request.user), "roles": roles, "usual": Role.RECEPTION}
    return render(request, template, context)


@permission_required(Permission.MANAGE_STAFF)
@require_POST
def invite(request: StaffRequest) -> HttpResponseBase:
    """Invite everyone who is ticked, all with one role."""
    return (_invite_owners if request.POST.get("role") == Role.OWNER else _invite_ticked)(request)


def _invite_ticked(request: StaffRequest) -> HttpResponse:
    ticked = request.POST.getlist("email")
    sent = sum(_invite(request, email) for email in ticked[:MOST_AT_ONCE])
    if sent:
        messages.success(request, texts.counted(texts.INVITED, sent))
    if not ticked:
        messages.warning(request, texts.NO_ONE_TICKED)
    if len(ticked) > MOST_AT_ONCE:
        messages.warning(request, texts.TOO_MANY_TICKED.format(limit=MOST_AT_ONCE))
    return redirect("staff")


_invite_owners = reauthentication_required(_invite_ticked)


def _invite(request: StaffRequest, email: str) -> bool:
    """Send an invitation and return True, or add a warning and return False."""
    form = InviteForm({"email": email, "role": request.POST.get("role")}, roles=grantable_roles(request.user))
    if not form.is_valid():
        messages.warning(request, texts.INVALID_INVITATION.format(email=email[:254]))
        return False
    try:
        emails.send_invitation(*invitations.invite(**form.cleaned_data, invited_by=request.user))
    except invitations.InvitationRefused as refused:
        messages.warning(request, str(refused))
        return False
    except (OSError, SMTPException):
        messages.warning(request, texts.EMAIL_NOT_SENT.format(email=email))
        return False
    return True
