"""The clinic's rules of sign-in, and what owners and admins do for the others."""

from collections import Counter
from smtplib import SMTPException
from typing import cast

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts import emails, second_factors, sessions
from accounts.forms import SecurityPolicyForm
from accounts.models import User
from accounts.reauthentication import reauthentication_required
from accounts.roles import Permission, may, permission_required
from audit.log import Action, record


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.MANAGE_SECURITY)
def security(request: HttpRequest) -> HttpResponse:
    policy = sessions.policy()
    form = SecurityPolicyForm(request.POST if request.method == "POST" else None, instance=policy)
    if form.is_valid():
        with transaction.atomic():
            form.save()
            record(Action.SETTINGS_CHANGED, by=cast(User, request.user), **_as_words(form))
        messages.success(request, "Saved.")
        return redirect("security")
    with_factor = set(Authenticator.objects.filter(type__in=second_factors.FACTORS).values_list("user_id", flat=True))
    open_sessions = Counter(sessions.active(sessions.policy()).values_list("user_id", flat=True))
    people = [
        {"person": person, "has_factor": person.pk in with_factor, "sessions": open_sessions[person.pk]}
        for person in User.objects.filter(is_active=True).order_by("name", "email")
    ]
    context = {"form": form, "people": people, "may_reset": may(request.user, Permission.RESET_SECOND_FACTOR)}
    return render(request, "accounts/security.html", context, status=422 if form.errors else 200)


@require_POST
@permission_required(Permission.MANAGE_SECURITY)
def end_sessions(request: HttpRequest, user_id: int) -> HttpResponse:
    person = get_object_or_404(User, pk=user_id)
    sessions.end(person.open_sessions.all(), of=person, by=cast(User, request.user))
    messages.success(request, f"{person.name} is signed out everywhere.")
    return redirect("security")


@require_POST
@permission_required(Permission.MANAGE_SECURITY)
def reset_second_factor(request: HttpRequest, user_id: int) -> HttpResponseBase:
    """For somebody who lost phone and codes: an owner has made sure by other means that it is them who asks."""
    person = get_object_or_404(User, pk=user_id)
    if not may(request.user, Permission.RESET_SECOND_FACTOR):
        raise PermissionDenied
    return _reset(request, person)


@reauthentication_required
def _reset(request: HttpRequest, person: User) -> HttpResponse:
    by = cast(User, request.user)
    if not second_factors.reset(person, by=by):
        messages.info(request, f"{person.name} has no second step.")
    elif _tell(person, by=by.name or by.email):
        messages.success(request, f"{person.name} can sign in with the password alone, and was told so by e-mail.")
    else:
        messages.warning(request, f"{person.name} can sign in with the password alone. The mail could not be sent.")
    return redirect("security")


def _as_words(form: SecurityPolicyForm) -> dict[str, str]:
    """What was changed, and to what, for the log."""
    return {name: str(form.cleaned_data[name] or "not required") for name in form.changed_data}


def _tell(person: User, *, by: str) -> bool:
    """Mail the person, who should know if it was not them who asked. False when no mail went out."""
    try:
        emails.send_second_factor_reset(person, by=by)
    except (OSError, SMTPException):
        return False
    return True
