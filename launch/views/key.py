"""The clinic's key to Cliniko: which one is in use, and trying a new one."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.confirmation import confirmation_required
from accounts.roles import Permission, permission_required
from launch import first_steps
from launch.requests import StaffRequest
from sync import keys, queries, standing


@sensitive_post_parameters("key")
@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.MANAGE_KEY)
@confirmation_required
def key(request: StaffRequest) -> HttpResponse:
    """Show the key in use by its last four characters, and take a new one that works. What was pasted is never shown
    again: whoever has to agree to something pastes it once more."""
    if request.method != "POST":
        return _show(request)
    try:
        found = keys.take(request.POST.get("key", ""), by=request.user, agreed_to=request.POST.get("agreed_to", ""))
    except keys.KeyNotTaken as refused:
        return _show(request, refused)
    messages.success(request, str(found))
    return redirect("welcome" if first_steps.open_ones(request.user) else "key")


def _show(request: StaffRequest, refused: keys.KeyNotTaken | None = None) -> HttpResponse:
    lists = standing.by_resource()
    context = {
        "held": keys.held(),
        "may_read": [each.label for each in lists if not each.refused],
        "may_not_read": [each.label for each in lists if each.refused],
        "refused": refused,
        "other": refused if isinstance(refused, keys.OtherAccount) else None,
        "facts": queries.facts(),
    }
    return render(request, "launch/key.html", context, status=422 if refused else 200)
