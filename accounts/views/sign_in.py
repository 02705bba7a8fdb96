"""Sign-in, sign-out and passwords; and the answers to a form that came too late or too often."""

from typing import Any

from allauth.account import views as allauth_views
from allauth.account.internal.stagekit import clear_login
from allauth.account.stages import LoginStage
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator

from accounts import tickets
from accounts.forms import PasswordChangeForm, PasswordResetForm, PasswordResetRequestForm, SignInForm

TICKET_EXPIRED = "That link is no longer valid. Search for the patient, or click the button in Cliniko again."
SIGN_IN_AGAIN = "This page was open for too long. Please sign in again."
STEPS_OF_SIGN_IN = {"account_login", "mfa_authenticate", "mfa_login_webauthn"}


def signed_in_url(request: HttpRequest) -> str:
    """Where somebody who has just signed in belongs: where their ticket says, or home with a word when it is over."""
    ticket = request.POST.get("t") or request.GET.get("t")
    if not ticket:
        return reverse("home")
    path = tickets.redeem(ticket, request)
    if path is None:
        messages.warning(request, TICKET_EXPIRED)
    return path or reverse("home")


def continue_sign_in(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Where a step of sign-in leads: once signed in where the ticket says, until then on to allauth's next step.

    The ticket goes along in the address, because the session is shared by all tabs.
    """
    if request.user.is_authenticated:
        return HttpResponseRedirect(signed_in_url(request))
    if response.get("Location") == reverse("mfa_authenticate"):
        return HttpResponseRedirect(tickets.with_ticket(response["Location"], request))
    return response


class ReturnTicketMixin:
    """A page of sign-in whose template passes the return ticket on."""

    request: HttpRequest

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"ticket": tickets.from_request(self.request)}  # type: ignore[misc] # a mixin


class SignIn(ReturnTicketMixin, allauth_views.LoginView):
    form_class = SignInForm
    template_name = "account/login.html"

    def _redirect_to_pending_stage(self, request: HttpRequest, stage: LoginStage) -> None:
        # allauth would show this tab the second step that another one was left at, and its patient with it.
        clear_login(request)

    def get_success_url(self) -> str:
        # allauth may keep this in the session until a second step is done: never a patient's page. See `form_valid`.
        return reverse("home")

    def get_authenticated_redirect_url(self) -> str:
        return signed_in_url(self.request)

    def form_valid(self, form: SignInForm) -> HttpResponse:
        return continue_sign_in(self.request, super().form_valid(form))


class SignOut(allauth_views.LogoutView):
    template_name = "account/logout.html"

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().post(*args, **kwargs)
        # Not "cookies": those of the other clinics under the same domain would go too.
        response["Clear-Site-Data"] = '"cache", "storage"'
        return response


class RequestPasswordReset(ReturnTicketMixin, allauth_views.PasswordResetView):
    """The ticket waits in this tab, on the page that says a mail is on its way. The mail knows nothing of it."""

    form_class = PasswordResetRequestForm

    def get_success_url(self) -> str:
        return tickets.with_ticket(reverse("account_reset_password_done"), self.request)


class PasswordResetRequested(ReturnTicketMixin, allauth_views.PasswordResetDoneView):
    template_name = "account/password_reset_done.html"


# With the lines that accounts.signals writes: a password that cannot be logged stays as it was.
in_one_transaction = method_decorator(transaction.atomic, name="form_valid")


@in_one_transaction
class ResetPassword(allauth_views.PasswordResetFromKeyView):
    form_class = PasswordResetForm


@in_one_transaction
class ChangePassword(allauth_views.PasswordChangeView):
    form_class = PasswordChangeForm


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose CSRF token no longer counts. Nothing was done with it, and nobody signed in.

    Sign-in in one tab makes the sign-in form in every other tab stale; that tab still ends on its own patient.
    """
    if request.resolver_match and request.resolver_match.url_name in STEPS_OF_SIGN_IN:
        if not request.user.is_authenticated:
            messages.info(request, SIGN_IN_AGAIN)
        return HttpResponseRedirect(tickets.with_ticket(reverse("account_login"), request))
    page = tickets.referring_page(request)
    if request.headers.get("HX-Request") == "true":
        if not request.user.is_authenticated:
            return HttpResponse(status=401, headers={"HX-Redirect": tickets.sign_in_url(page)})
        # The page loads again and so gets a token that counts.
        return HttpResponse(status=403, headers={"HX-Refresh": "true"})
    if page and not request.user.is_authenticated:
        # The session has ended since the form was opened: back to it after signing in, without what was typed.
        messages.info(request, SIGN_IN_AGAIN)
        return tickets.sign_in_redirect(page)
    return render(request, "accounts/stale_form.html", status=403)


def too_many_attempts(request: HttpRequest) -> HttpResponse:
    """Answer somebody who tried too often."""
    response = render(request, "accounts/too_many_tries.html", status=429)
    response["Retry-After"] = "300"
    return response
