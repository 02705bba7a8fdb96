"""The clinic's Cliniko API key: show the current one, test and store a new one."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.reauthentication import reauthentication_required
from accounts.roles import Permission, permission_required
from launch import onboarding
from launch.http import StaffRequest
from launch.messages import KEY_MESSAGES
from sync import key_entry
from sync.read import patients, status


@sensitive_post_parameters("key")
@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.MANAGE_KEY)
@reauthentication_required
def key(request: StaffRequest) -> HttpResponse:
    """Show the last four characters of the current key, or test and store a new one.

    The pasted key is never sent back: to confirm a move to another account, the user pastes it again.
    """
    if request.method != "POST":
        return _render(request)
    try:
        connected = key_entry.enter_key(
            request.POST.get("key", ""), by=request.user, confirmed_account=request.POST.get("agreed_to", "")
        )
    except key_entry.KeyNotAccepted as refused:
        return _render(request, refused)
    messages.success(request, str(connected))
    return redirect("onboarding" if onboarding.unfinished(request.user) else "key")


def _render(request: StaffRequest, refused: key_entry.KeyNotAccepted | None = None) -> HttpResponse:
    resources = status.by_resource()
    context = {
        "current": key_entry.current_key(),
        "may_read": [each.label for each in resources if not each.refused],
        "may_not_read": [each.label for each in resources if each.refused],
        "refused": KEY_MESSAGES[refused.reason].format(**refused.details) if refused else None,
        "other": refused if isinstance(refused, key_entry.OtherAccount) else None,
        "facts": patients.clinic_facts(),
    }
    return render(request, "launch/key.html", context, status=422 if refused else 200)
