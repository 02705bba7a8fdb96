"""The Security page: the clinic's sign-in rules, and what managers do about other users' sign-ins."""

from collections import Counter
from smtplib import SMTPException

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts import emails, second_factors, sessions
from accounts.forms import SecurityPolicyForm
from accounts.models import User
from accounts.reauthentication import reauthentication_required
from accounts.roles import Permission, may, permission_required
from accounts.sessions import SignedInRequest
from audit.log import Action, record


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.MANAGE_SECURITY)
def security(request: SignedInRequest) -> HttpResponse:
    policy = sessions.policy()
    form = SecurityPolicyForm(request.POST if request.method == "POST" else None, instance=policy)
    if form.is_valid():
        changes = {name: str(form.cleaned_data[name] or "not required") for name in form.changed_data}
        with transaction.atomic():
            form.save()
            record(Action.SETTINGS_CHANGED, by=request.user, **changes)
        messages.success(request, "Saved.")
        return redirect("security")
    with_factor = second_factors.user_ids()
    open_sessions = Counter(sessions.active(sessions.policy()).values_list("user_id", flat=True))
    people = [
        {"person": person, "has_factor": person.pk in with_factor, "sessions": open_sessions[person.pk]}
        for person in User.objects.filter(is_active=True).order_by("name", "email")
    ]
    context = {"form": form, "people": people, "may_reset": may(request.user, Permission.RESET_SECOND_FACTOR)}
    return render(request, "accounts/security.html", context, status=422 if form.errors else 200)


@require_POST
@permission_required(Permission.MANAGE_SECURITY)
def end_sessions(request: SignedInRequest, user_id: int) -> HttpResponse:
    person = get_object_or_404(User, pk=user_id)
    sessions.end(person.open_sessions.all(), of=person, by=request.user)
    messages.success(request, f"{person.name} is signed out everywhere.")
    return redirect("security")


@require_POST
@permission_required(Permission.MANAGE_SECURITY)
def reset_second_factor(request: SignedInRequest, user_id: int) -> HttpResponseBase:
    """Reset two-step verification for a user who lost their phone and codes.

    The page tells owners to make sure that the request really comes from that person.
    """
    return _reset_second_factor(request, get_object_or_404(User, pk=user_id))


@permission_required(Permission.RESET_SECOND_FACTOR)
@reauthentication_required
def _reset_second_factor(request: SignedInRequest, person: User) -> HttpResponse:
    by = request.user
    if not second_factors.reset(person, by=by):
        messages.info(request, f"{person.name} hasn't set up two-step verification.")
        return redirect("security")
    outcome = f"{person.name} can now sign in with just their password."
    try:
        emails.send_second_factor_reset(person, by=by.name or by.email)
    except (OSError, SMTPException):
        messages.warning(request, f"{outcome} The email to tell them couldn't be sent.")
    else:
        messages.success(request, f"{outcome} We've emailed them.")
    return redirect("security")
