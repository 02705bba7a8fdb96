"""Sign-in, sign-out and passwords; and the answers to a form that came too late or too often."""

from typing import Any

from allauth.account import views as allauth_views
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from accounts import tickets
from accounts.forms import AskForResetForm, NewPasswordForm, PasswordChangeForm, SignInForm

TICKET_IS_OVER = "That link is no longer valid. Search for the patient, or click the button in Cliniko again."
SIGN_IN_AGAIN = "This page was open for too long. Please sign in again."


def landing(request: HttpRequest) -> str:
    """Where somebody who has just signed in belongs: where their ticket says, or home with a word when it is over."""
    ticket = request.POST.get("t") or request.GET.get("t")
    if not ticket:
        return reverse("home")
    path = tickets.redeem(ticket, request)
    if path is None:
        messages.warning(request, TICKET_IS_OVER)
    return path or reverse("home")


class SignIn(allauth_views.LoginView):
    form_class = SignInForm
    template_name = "account/login.html"

    def get_success_url(self) -> str:
        # allauth may keep this in the session until a second step is done: never a patient's page. See `form_valid`.
        return reverse("home")

    def get_authenticated_redirect_url(self) -> str:
        return landing(self.request)

    def form_valid(self, form: SignInForm) -> HttpResponse:
        response = super().form_valid(form)
        if self.request.user.is_authenticated:
            return HttpResponseRedirect(landing(self.request))
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"ticket": tickets.carried_by(self.request)}


class SignOut(allauth_views.LogoutView):
    template_name = "account/logout.html"

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().post(*args, **kwargs)
        # Not "cookies": those of the other clinics under the same domain would go too.
        response["Clear-Site-Data"] = '"cache", "storage"'
        return response


class AskForReset(allauth_views.PasswordResetView):
    form_class = AskForResetForm


class ChooseNewPassword(allauth_views.PasswordResetFromKeyView):
    form_class = NewPasswordForm


class ChangePassword(allauth_views.PasswordChangeView):
    form_class = PasswordChangeForm


@login_not_required
def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose CSRF token no longer counts. Nothing was done with it, and nobody signed in.

    Sign-in in one tab makes the sign-in form in every other tab stale; that tab still ends on its own patient.
    """
    if request.resolver_match and request.resolver_match.url_name == "account_login":
        if not request.user.is_authenticated:
            messages.info(request, SIGN_IN_AGAIN)
        ticket = tickets.carried_by(request)
        return HttpResponseRedirect(reverse("account_login") + (f"?t={ticket}" if ticket else ""))
    if request.headers.get("HX-Request") == "true":
        # The page loads again and so gets a token that counts.
        return HttpResponse(status=403, headers={"HX-Refresh": "true"})
    return render(request, "accounts/stale_form.html", status=403)


def too_many_tries(request: HttpRequest) -> HttpResponse:
    """Answer somebody who tried too often."""
    response = render(request, "accounts/too_many_tries.html", status=429)
    response["Retry-After"] = "300"
    return response
