"""Signing in with a second factor after the password, or with a passkey alone."""

from typing import Any

from allauth.account.stages import LoginStage, LoginStageController
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from allauth.mfa.webauthn import views as allauth_views
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import second_factors, tickets
from accounts.allauth_internals import begin_authentication
from accounts.second_factor_forms import CodeForm, PasskeySignInForm, SecondFactorPasskeyForm
from accounts.views.sign_in import SIGN_IN_AGAIN, continue_sign_in, signed_in_url


@login_not_required
@sensitive_post_parameters("code", "credential")
@require_http_methods(["GET", "HEAD", "POST"])
def verify_second_factor(request: HttpRequest) -> HttpResponse:
    """After the password, verify a passkey, a code from the app or a recovery code."""
    if request.user.is_authenticated:
        return HttpResponseRedirect(signed_in_url(request))
    stage = _pending_stage(request)
    if stage is None:
        messages.info(request, SIGN_IN_AGAIN)
        return HttpResponseRedirect(tickets.with_ticket(reverse("account_login"), request))
    user = stage.login.user
    code_form = CodeForm(user=user, data=request.POST if "code" in request.POST else None)
    passkey_form = SecondFactorPasskeyForm(user=user, data=request.POST if "credential" in request.POST else None)
    for form in (code_form, passkey_form):
        if form.is_valid():
            form.save()
            return continue_sign_in(request, stage.exit())
    context = {
        "code_form": code_form,
        "passkey_form": passkey_form,
        "has_passkey": Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).exists(),
        "ticket": tickets.from_request(request),
    }
    return render(request, "accounts/verify_second_factor.html", context)


@login_not_required
@require_POST
def second_factor_passkey_options(request: HttpRequest) -> HttpResponse:
    """Return the options for the browser's passkey prompt after the password."""
    stage = _pending_stage(request)
    if stage is None:
        return HttpResponse(status=403)
    second_factors.begin_passkey_prompt(request, SecondFactorPasskeyForm.purpose)
    return JsonResponse(begin_authentication(stage.login.user))


@login_not_required
@require_POST
def sign_in_passkey_options(request: HttpRequest) -> HttpResponse:
    """Return the options for the browser's passkey prompt when the user is not known yet."""
    second_factors.begin_passkey_prompt(request, PasskeySignInForm.purpose)
    return JsonResponse(begin_authentication(user=None))


class PasskeySignIn(allauth_views.LoginWebAuthnView):
    """Sign in with a passkey alone. The device verifies fingerprint, face or PIN, so no second factor follows."""

    form_class = PasskeySignInForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._back()

    def get_authenticated_redirect_url(self) -> str:
        return signed_in_url(self.request)

    def _redirect_to_pending_stage(self, request: HttpRequest, stage: LoginStage) -> None:
        return None  # that stage belongs to another tab

    def form_valid(self, form: PasskeySignInForm) -> HttpResponse:
        return continue_sign_in(self.request, super().form_valid(form))

    def form_invalid(self, form: PasskeySignInForm) -> HttpResponse:
        messages.error(self.request, "We don't recognise that passkey. Sign in with your password.")
        return self._back()

    def _back(self) -> HttpResponse:
        return HttpResponseRedirect(tickets.with_ticket(reverse("account_login"), self.request))


def _pending_stage(request: HttpRequest) -> LoginStage | None:
    stage: LoginStage | None = LoginStageController.enter(request, AuthenticateStage.key)
    return stage
