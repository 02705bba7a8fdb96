"""Whoever changes how they sign in shows once more that it is them: somebody may have left their desk."""

import time
from functools import wraps
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal.auth import begin_authentication
from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import second_factors, tickets
from accounts.models import User
from accounts.roles import View
from accounts.second_factor_forms import CodeForm, PasswordForm, ReauthenticationPasskeyForm
from accounts.signals import REAUTHENTICATED_AT

VALID_SECONDS = 5 * 60
NOTHING_YET = "Nothing was changed yet. Show that it is you, then do it once more."


def reauthentication_required(view: View) -> View:
    """Ask whoever signed in or confirmed more than five minutes ago, and then come back to the page.

    A form sent too late is not repeated: it leads to the page that it was on.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if time.time() - request.session.get(REAUTHENTICATED_AT, 0) < VALID_SECONDS:
            return view(request, *args, **kwargs)
        if request.method == "POST":
            messages.info(request, NOTHING_YET)
        page = request.get_full_path() if request.method == "GET" else tickets.referring_page(request)
        try:
            ticket = tickets.issue(page or reverse("mfa_index"))
        except tickets.InvalidReturnPath:
            ticket = tickets.issue(reverse("mfa_index"))
        return HttpResponseRedirect(f"{reverse('confirm')}?t={ticket}")

    return guarded


@sensitive_post_parameters("password", "code", "credential")
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """By password, passkey or code: any one of those that the person signs in with."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - SignInRequiredMiddleware let nobody else in
    posted = {name: request.POST if name in request.POST else None for name in ("password", "code", "credential")}
    forms: dict[str, Form] = {
        "password_form": PasswordForm(posted["password"], confirm=lambda password: _knows(request, user, password)),
        "passkey_form": ReauthenticationPasskeyForm(user=user, data=posted["credential"]),
        "code_form": CodeForm(user=user, data=posted["code"]),
    }
    if any(form.is_valid() for form in forms.values()):
        request.session[REAUTHENTICATED_AT] = time.time()
        return redirect(tickets.redeem(tickets.from_request(request), request) or "mfa_index")
    types = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    context = {"has_passkey": "webauthn" in types, "has_code": bool(types - {"webauthn"})}
    return render(request, "account/confirm.html", forms | context | {"ticket": tickets.from_request(request)})


@require_POST
def passkey_options(request: HttpRequest) -> HttpResponse:
    """What the browser's passkey dialog needs to know to confirm who is signed in."""
    second_factors.begin_passkey_prompt(request, ReauthenticationPasskeyForm.purpose)
    return JsonResponse(begin_authentication(request.user))


def _knows(request: HttpRequest, user: User, password: str) -> bool:
    """Checked and counted like a sign-in. Raises allauth's validation error after too many tries."""
    return get_adapter().authenticate(request, email=user.email, password=password) == user
