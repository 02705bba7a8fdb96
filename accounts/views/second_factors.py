"""The "Your sign-in" pages: one's own passkeys, authenticator app, recovery codes and sessions."""

from base64 import b64encode

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from accounts import second_factors, sessions, tickets
from accounts.allauth_internals import TOTP, WebAuthn, begin_registration
from accounts.models import User
from accounts.reauthentication import reauthentication_required
from accounts.second_factor_forms import AddPasskeyForm, AuthenticatorAppForm, PasskeyNameForm
from accounts.sessions import SignedInRequest
from accounts.sign_in_events import log_sign_in_change
from audit.log import Action

Type = Authenticator.Type


@require_safe
def sign_in_settings(request: SignedInRequest) -> HttpResponse:
    factors = list(Authenticator.objects.filter(user=request.user).order_by("created_at"))
    codes = next((factor for factor in factors if factor.type == Type.RECOVERY_CODES), None)
    context = {
        "passkeys": [factor for factor in factors if factor.type == Type.WEBAUTHN],
        "app": next((factor for factor in factors if factor.type == Type.TOTP), None),
        "codes": codes,
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
        "sessions": sessions.active(sessions.policy()).filter(user=request.user).order_by("-seen_at"),
        "ticket": tickets.from_request(request),
    }
    return render(request, "accounts/sign_in_settings.html", context)


@sensitive_post_parameters("credential")
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def add_passkey(request: SignedInRequest) -> HttpResponse:
    user = request.user
    form = AddPasskeyForm(request.POST or None, user=user)
    if not form.is_valid():
        return render(request, "accounts/add_passkey.html", {"form": form, "ticket": tickets.from_request(request)})
    with transaction.atomic():
        WebAuthn.add(user, form.cleaned_data["name"], form.cleaned_data["credential"])
        second_factors.ensure_recovery_codes(user)
        log_sign_in_change(Action.SECOND_FACTOR_ADDED, user, "passkey")
    return _added(request, "Your passkey is ready.")


@require_POST
@reauthentication_required
def new_passkey_options(request: SignedInRequest) -> HttpResponse:
    """Return the options for the browser's prompt to create a passkey that can also sign in alone."""
    second_factors.begin_passkey_prompt(request, AddPasskeyForm.purpose)
    return JsonResponse(begin_registration(request.user, passwordless=True))


@require_POST
@reauthentication_required
def rename_passkey(request: SignedInRequest, passkey_id: int) -> HttpResponse:
    passkey = get_object_or_404(Authenticator, pk=passkey_id, user=request.user, type=Type.WEBAUTHN)
    form = PasskeyNameForm(request.POST)
    if form.is_valid():
        passkey.data["name"] = form.cleaned_data["name"]
        passkey.save(update_fields=["data"])
    else:
        messages.error(request, "Enter a name of 1 to 60 characters.")
    return redirect("mfa_index")


@require_POST
@reauthentication_required
def remove_passkey(request: SignedInRequest, passkey_id: int) -> HttpResponse:
    passkey = get_object_or_404(Authenticator, pk=passkey_id, user=request.user, type=Type.WEBAUTHN)
    return _remove(request, passkey, kind="passkey", message="Passkey removed. You can no longer sign in with it.")


@sensitive_post_parameters("code", "sealed")
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def set_up_app(request: SignedInRequest) -> HttpResponse:
    user = request.user
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # of two simultaneous clicks, the second finds the app set up
        has_app = Authenticator.objects.filter(user=user, type=Type.TOTP).exists()
        form = AuthenticatorAppForm((not has_app and request.POST) or None, user=user)
        if done := form.is_valid():
            TOTP.activate(user, form.secret)
            second_factors.ensure_recovery_codes(user)
            log_sign_in_change(Action.SECOND_FACTOR_ADDED, user, "authenticator app")
    if has_app and request.method != "POST":
        return redirect("mfa_index")
    if done or has_app:
        return _added(request, "Your authenticator app is ready.")
    adapter = second_factors.SecondFactorAdapter()
    qr_code = adapter.build_totp_svg(adapter.build_totp_url(user, form.secret))
    context = {
        "form": form,
        "secret": " ".join(form.secret[at : at + 4] for at in range(0, len(form.secret), 4)),
        "qr_code": b64encode(qr_code.encode()).decode(),
        "ticket": tickets.from_request(request),
    }
    return render(request, "accounts/authenticator_app.html", context)


@require_POST
@reauthentication_required
def remove_app(request: SignedInRequest) -> HttpResponse:
    app = get_object_or_404(Authenticator, user=request.user, type=Type.TOTP)
    message = "Authenticator app removed. Its codes no longer work."
    return _remove(request, app, kind="authenticator app", message=message)


@require_GET
@reauthentication_required
def recovery_codes(request: SignedInRequest) -> HttpResponse:
    """Show new recovery codes once. HEAD is refused: it would mark them as seen."""
    authenticator = Authenticator.objects.filter(user=request.user, type=Type.RECOVERY_CODES).first()
    codes = authenticator.wrap() if authenticator else None
    if codes is None or codes.did_view:
        return redirect("mfa_index")
    codes.mark_as_viewed()
    context = {"codes": codes.get_unused_codes(), "ticket": tickets.from_request(request)}
    return render(request, "accounts/recovery_codes.html", context)


@require_POST
@reauthentication_required
def new_recovery_codes(request: SignedInRequest) -> HttpResponse:
    """Replace all recovery codes. The old ones no longer work."""
    user = request.user
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # of two simultaneous clicks, the second one's codes remain
        Authenticator.objects.filter(user=user, type=Type.RECOVERY_CODES).delete()
        if second_factors.has_second_factor(user):
            second_factors.ensure_recovery_codes(user)
            log_sign_in_change(Action.SECOND_FACTOR_ADDED, user, "recovery codes")
    return redirect("recovery_codes")


def _added(request: SignedInRequest, message: str) -> HttpResponse:
    """Redirect to the recovery codes unless they were already shown, else where the ticket leads."""
    request.session.cycle_key()
    messages.success(request, message)
    codes = Authenticator.objects.filter(user=request.user, type=Type.RECOVERY_CODES).first()
    if codes and not codes.wrap().did_view:
        return HttpResponseRedirect(tickets.with_ticket(reverse("recovery_codes"), request))
    ticket = tickets.from_request(request)
    return HttpResponseRedirect(tickets.with_ticket(reverse("account_login" if ticket else "mfa_index"), request))


def _remove(request: SignedInRequest, factor: Authenticator, *, kind: str, message: str) -> HttpResponse:
    with transaction.atomic():
        second_factors.remove(factor)
        log_sign_in_change(Action.SECOND_FACTOR_REMOVED, request.user, kind)
    request.session.cycle_key()
    messages.success(request, message)
    return redirect("mfa_index")
