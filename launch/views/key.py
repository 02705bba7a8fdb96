"""The clinic's key to Cliniko: which one is in use, and trying a new one."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.reauthentication import reauthentication_required
from accounts.roles import Permission, permission_required
from launch import onboarding
from launch.http import StaffRequest
from sync import key_entry
from sync.read import patients, status


@sensitive_post_parameters("key")
@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.MANAGE_KEY)
@reauthentication_required
def key(request: StaffRequest) -> HttpResponse:
    """Show the key in use by its last four characters, and take a new one that works. What was pasted is never shown
    again: whoever has to agree to something pastes it once more."""
    if request.method != "POST":
        return _show(request)
    try:
        found = key_entry.enter_key(
            request.POST.get("key", ""), by=request.user, agreed_to=request.POST.get("agreed_to", "")
        )
    except key_entry.KeyNotAccepted as refused:
        return _show(request, refused)
    messages.success(request, str(found))
    return redirect("welcome" if onboarding.open_ones(request.user) else "key")


def _show(request: StaffRequest, refused: key_entry.KeyNotAccepted | None = None) -> HttpResponse:
    lists = status.by_resource()
    context = {
        "held": key_entry.current_key(),
        "may_read": [each.label for each in lists if not each.refused],
        "may_not_read": [each.label for each in lists if each.refused],
        "refused": refused,
        "other": refused if isinstance(refused, key_entry.OtherAccount) else None,
        "facts": patients.clinic_facts(),
    }
    return render(request, "launch/key.html", context, status=422 if refused else 200)
