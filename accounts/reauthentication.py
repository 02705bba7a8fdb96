"""Ask users to confirm who they are before they change something sensitive, in case they left their desk."""

import time
from functools import wraps
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import second_factors, tickets
from accounts.allauth_internals import begin_authentication
from accounts.roles import View
from accounts.second_factor_forms import CodeForm, PasswordForm, ReauthenticationPasskeyForm
from accounts.sessions import SignedInRequest
from accounts.signals import REAUTHENTICATED_AT

VALID_SECONDS = 5 * 60
NOT_CHANGED_YET = "Nothing has changed yet. Confirm that it's you, then try again."


def reauthentication_required(view: View) -> View:
    """Send users who last signed in or confirmed more than five minutes ago to confirm, then back to the page.

    A posted form is not replayed: the user comes back to the page it was on.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if time.time() - request.session.get(REAUTHENTICATED_AT, 0) < VALID_SECONDS:
            return view(request, *args, **kwargs)
        if request.method == "POST":
            messages.info(request, NOT_CHANGED_YET)
        page = request.get_full_path() if request.method == "GET" else tickets.referring_page(request)
        try:
            ticket = tickets.issue(page or reverse("mfa_index"))
        except tickets.InvalidReturnPath:
            ticket = tickets.issue(reverse("mfa_index"))
        return HttpResponseRedirect(f"{reverse('confirm')}?t={ticket}")

    return guarded


@sensitive_post_parameters("password", "code", "credential")
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: SignedInRequest) -> HttpResponse:
    """Confirm the user by password, passkey or code."""
    user = request.user

    def is_correct(password: str) -> bool:
        # counts and limits attempts like a sign-in
        return bool(get_adapter().authenticate(request, email=user.email, password=password) == user)

    posted = {name: request.POST if name in request.POST else None for name in ("password", "code", "credential")}
    forms: dict[str, Any] = {
        "password_form": PasswordForm(posted["password"], is_correct=is_correct),
        "passkey_form": ReauthenticationPasskeyForm(user=user, data=posted["credential"]),
        "code_form": CodeForm(user=user, data=posted["code"]),
    }
    if any(form.is_valid() for form in forms.values()):
        request.session[REAUTHENTICATED_AT] = time.time()
        return redirect(tickets.redeem(tickets.from_request(request), request) or "mfa_index")
    types = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    context = {"has_passkey": "webauthn" in types, "has_code": bool(types - {"webauthn"})}
    return render(request, "accounts/confirm.html", forms | context | {"ticket": tickets.from_request(request)})


@require_POST
def passkey_options(request: SignedInRequest) -> HttpResponse:
    """Return the options for the browser's passkey prompt."""
    second_factors.begin_passkey_prompt(request, ReauthenticationPasskeyForm.purpose)
    return JsonResponse(begin_authentication(request.user))
