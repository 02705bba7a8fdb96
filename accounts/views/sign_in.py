"""Sign-in, sign-out and passwords, and the responses to stale forms and too many attempts."""

from typing import Any

from allauth.account import views as allauth_views
from allauth.account.stages import LoginStage
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator

from accounts import tickets
from accounts.allauth_internals import clear_login
from accounts.forms import PasswordChangeForm, PasswordResetForm, PasswordResetRequestForm, SignInForm

TICKET_EXPIRED = "That link is no longer valid. Search for the patient, or click the button in Cliniko again."
SIGN_IN_AGAIN = "This page was open for too long. Please sign in again."
SIGN_IN_URL_NAMES = {"account_login", "mfa_authenticate", "mfa_login_webauthn"}


def signed_in_url(request: HttpRequest) -> str:
    """Return where a user who just signed in goes: where their ticket leads, or home, with a message if it expired."""
    ticket = request.POST.get("t") or request.GET.get("t")
    if not ticket:
        return reverse("home")
    path = tickets.redeem(ticket, request)
    if path is None:
        messages.warning(request, TICKET_EXPIRED)
    return path or reverse("home")


def continue_sign_in(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Redirect a signed-in user to where the ticket leads, or others to allauth's next stage with the ticket.

    The ticket goes into the URL, because all tabs share the session.
    """
    if request.user.is_authenticated:
        return HttpResponseRedirect(signed_in_url(request))
    if response.get("Location") == reverse("mfa_authenticate"):
        return HttpResponseRedirect(tickets.with_ticket(response["Location"], request))
    return response


class ReturnTicketMixin:
    """Pass the return ticket to the template."""

    request: HttpRequest

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc] # a mixin
        return context | {"ticket": tickets.from_request(self.request)}


class SignIn(ReturnTicketMixin, allauth_views.LoginView):
    form_class = SignInForm
    template_name = "accounts/login.html"

    def _redirect_to_pending_stage(self, request: HttpRequest, stage: LoginStage) -> None:
        # allauth would show this tab the second factor, and then the patient, that another tab was waiting for.
        clear_login(request)

    def get_success_url(self) -> str:
        # allauth may keep this in the session until the second factor is verified, so never a patient's page.
        return reverse("home")

    def get_authenticated_redirect_url(self) -> str:
        return signed_in_url(self.request)

    def form_valid(self, form: SignInForm) -> HttpResponse:
        return continue_sign_in(self.request, super().form_valid(form))


class SignOut(allauth_views.LogoutView):
    template_name = "accounts/logout.html"

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post(*args, **kwargs)
        # Without "cookies": that would delete those of the other clinics under the same domain too.
        response["Clear-Site-Data"] = '"cache", "storage"'
        return response


class RequestPasswordReset(ReturnTicketMixin, allauth_views.PasswordResetView):
    """Ask for a reset link. The ticket stays in this tab's URL; the email doesn't contain it."""

    form_class = PasswordResetRequestForm
    template_name = "accounts/password_reset_request.html"

    def get_success_url(self) -> str:
        return tickets.with_ticket(reverse("account_reset_password_done"), self.request)


class PasswordResetRequested(ReturnTicketMixin, allauth_views.PasswordResetDoneView):
    template_name = "accounts/password_reset_requested.html"


# In one transaction with the audit event that accounts.signals records: if that fails, the password stays as it was.
in_one_transaction = method_decorator(transaction.atomic, name="form_valid")


@in_one_transaction
class ResetPassword(allauth_views.PasswordResetFromKeyView):
    form_class = PasswordResetForm
    template_name = "accounts/password_reset.html"


@in_one_transaction
class ChangePassword(allauth_views.PasswordChangeView):
    form_class = PasswordChangeForm
    template_name = "accounts/password_change.html"


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Respond to a form whose CSRF token is no longer valid.

    Signing in in one tab makes the sign-in form in every other tab stale. Those tabs still end on their own patient.
    """
    if request.resolver_match and request.resolver_match.url_name in SIGN_IN_URL_NAMES:
        if not request.user.is_authenticated:
            messages.info(request, SIGN_IN_AGAIN)
        return HttpResponseRedirect(tickets.with_ticket(reverse("account_login"), request))
    page = tickets.referring_page(request)
    if request.headers.get("HX-Request") == "true":
        if not request.user.is_authenticated:
            return HttpResponse(status=401, headers={"HX-Redirect": tickets.sign_in_url(page)})
        # The page reloads and so gets a valid token.
        return HttpResponse(status=403, headers={"HX-Refresh": "true"})
    if page and not request.user.is_authenticated:
        # The session has ended since the form was opened. After sign-in the page opens again, without what was typed.
        messages.info(request, SIGN_IN_AGAIN)
        return tickets.sign_in_redirect(page)
    return render(request, "accounts/stale_form.html", status=403)


def too_many_attempts(request: HttpRequest) -> HttpResponse:
    """Respond to a client that has reached a rate limit."""
    response = render(request, "accounts/too_many_attempts.html", status=429)
    response["Retry-After"] = "300"
    return response
