"""From Cliniko: a part of the staff page, and without a script a page of its own."""

from smtplib import SMTPException

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts import invitations
from accounts.forms import InviteForm
from accounts.reauthentication import reauthentication_required
from accounts.roles import Permission, Role, grantable_roles, permission_required
from launch.cliniko_people import compare
from launch.http import StaffRequest

MOST_AT_ONCE = 20  # each is a mail that is sent while the page waits


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
    """Invite everybody who is ticked, all with one role."""
    return (_invite_owners if request.POST.get("role") == Role.OWNER else _invite_ticked)(request)


def _invite_ticked(request: StaffRequest) -> HttpResponse:
    ticked = request.POST.getlist("email")
    sent = sum(_invite(request, email) for email in ticked[:MOST_AT_ONCE])
    if sent:
        messages.success(request, f"{sent} invitation{'s are' if sent > 1 else ' is'} on the way.")
    if not ticked:
        messages.warning(request, "Nobody was ticked.")
    if len(ticked) > MOST_AT_ONCE:
        messages.warning(request, f"{MOST_AT_ONCE} people can be invited at once. Tick the others again.")
    return redirect("staff")


_invite_owners = reauthentication_required(_invite_ticked)


def _invite(request: StaffRequest, email: str) -> bool:
    """Whether an invitation went out; otherwise the page is told why not."""
    form = InviteForm({"email": email, "role": request.POST.get("role")}, roles=grantable_roles(request.user))
    if not form.is_valid():
        messages.warning(request, f"{email[:254]} cannot be invited like this. Check address and role.")
        return False
    try:
        invitations.send(*invitations.invite(**form.cleaned_data, invited_by=request.user))
    except invitations.InvitationRefused as refused:
        messages.warning(request, str(refused))
        return False
    except (OSError, SMTPException):
        messages.warning(request, f"The mail to {email} could not be sent. Send it again from the list below.")
        return False
    return True
