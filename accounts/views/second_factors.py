"""How I sign in: passkeys, authenticator app and recovery codes of whoever is signed in."""

from base64 import b64encode
from typing import cast

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.internal.auth import WebAuthn, begin_registration
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from accounts import second_factors, sessions, tickets
from accounts.models import User
from accounts.reauthentication import reauthentication_required
from accounts.second_factor_forms import AddPasskeyForm, AuthenticatorAppForm, PasskeyNameForm
from accounts.sign_in_events import log_sign_in_change
from audit.log import Action

Type = Authenticator.Type


@require_safe
def sign_in_settings(request: HttpRequest) -> HttpResponse:
    held = list(Authenticator.objects.filter(user=_person(request)).order_by("created_at"))
    codes = next((each for each in held if each.type == Type.RECOVERY_CODES), None)
    context = {
        "passkeys": [each for each in held if each.type == Type.WEBAUTHN],
        "app": next((each for each in held if each.type == Type.TOTP), None),
        "codes": codes,
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
        "sessions": sessions.active(sessions.policy()).filter(user=_person(request)).order_by("-seen_at"),
        "ticket": tickets.from_request(request),
    }
    return render(request, "account/own_sign_in.html", context)


@sensitive_post_parameters("credential")
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def add_passkey(request: HttpRequest) -> HttpResponse:
    person = _person(request)
    form = AddPasskeyForm(request.POST or None, user=person)
    if not form.is_valid():
        return render(request, "account/passkey_add.html", {"form": form, "ticket": tickets.from_request(request)})
    with transaction.atomic():
        WebAuthn.add(person, form.cleaned_data["name"], form.cleaned_data["credential"])
        second_factors.ensure_recovery_codes(person)
        log_sign_in_change(Action.SECOND_FACTOR_ADDED, person, "passkey")
    return _added(request, "Your passkey is ready.")


@require_POST
@reauthentication_required
def new_passkey_options(request: HttpRequest) -> HttpResponse:
    """What the browser's dialog needs to know to make a passkey that can also sign in alone."""
    second_factors.begin_passkey_prompt(request, AddPasskeyForm.purpose)
    return JsonResponse(begin_registration(_person(request), passwordless=True))


@require_POST
@reauthentication_required
def rename_passkey(request: HttpRequest, passkey_id: int) -> HttpResponse:
    passkey = get_object_or_404(Authenticator, pk=passkey_id, user=_person(request), type=Type.WEBAUTHN)
    form = PasskeyNameForm(request.POST)
    if form.is_valid():
        passkey.data["name"] = form.cleaned_data["name"]
        passkey.save(update_fields=["data"])
    else:
        messages.error(request, "A name has 1 to 60 letters.")
    return redirect("mfa_index")


@require_POST
@reauthentication_required
def remove_passkey(request: HttpRequest, passkey_id: int) -> HttpResponse:
    passkey = get_object_or_404(Authenticator, pk=passkey_id, user=_person(request), type=Type.WEBAUTHN)
    return _removed(request, passkey, "The passkey is removed. It no longer signs you in.")


@sensitive_post_parameters("code", "sealed")
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def set_up_app(request: HttpRequest) -> HttpResponse:
    person = _person(request)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=person.pk)  # of two clicks at once, the second one finds the app there
        has_app = Authenticator.objects.filter(user=person, type=Type.TOTP).exists()
        form = AuthenticatorAppForm((not has_app and request.POST) or None, user=person)
        if done := form.is_valid():
            TOTP.activate(person, form.secret)
            second_factors.ensure_recovery_codes(person)
            log_sign_in_change(Action.SECOND_FACTOR_ADDED, person, "authenticator app")
    if has_app and request.method != "POST":
        return redirect("mfa_index")
    if done or has_app:
        return _added(request, "Your authenticator app is ready.")
    adapter = second_factors.SecondFactorAdapter()
    picture = adapter.build_totp_svg(adapter.build_totp_url(person, form.secret))
    context = {
        "form": form,
        "secret": " ".join(form.secret[at : at + 4] for at in range(0, len(form.secret), 4)),
        "picture": b64encode(picture.encode()).decode(),
        "ticket": tickets.from_request(request),
    }
    return render(request, "account/app.html", context)


@require_POST
@reauthentication_required
def remove_app(request: HttpRequest) -> HttpResponse:
    app = get_object_or_404(Authenticator, user=_person(request), type=Type.TOTP)
    return _removed(request, app, "The authenticator app is removed. Its codes no longer count.")


@require_GET
@reauthentication_required
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """Shown once, after they were made. A HEAD, which shows them to nobody, is refused."""
    held = Authenticator.objects.filter(user=_person(request), type=Type.RECOVERY_CODES).first()
    if held is None or held.wrap().did_view:
        return redirect("mfa_index")
    codes = held.wrap()
    codes.mark_as_viewed()
    context = {"codes": codes.get_unused_codes(), "ticket": tickets.from_request(request)}
    return render(request, "account/recovery_codes.html", context)


@require_POST
@reauthentication_required
def new_recovery_codes(request: HttpRequest) -> HttpResponse:
    """Replace them all: those on an old list no longer count."""
    person = _person(request)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=person.pk)  # of two clicks at once, the second one's stay
        Authenticator.objects.filter(user=person, type=Type.RECOVERY_CODES).delete()
        if second_factors.has_second_factor(person):
            second_factors.ensure_recovery_codes(person)
            log_sign_in_change(Action.SECOND_FACTOR_ADDED, person, "recovery codes")
    return redirect("recovery_codes")


def _added(request: HttpRequest, words: str) -> HttpResponse:
    """On to the recovery codes when nobody has seen them, else back to where the person was on the way to."""
    request.session.cycle_key()
    messages.success(request, words)
    codes = Authenticator.objects.filter(user=_person(request), type=Type.RECOVERY_CODES).first()
    if codes and not codes.wrap().did_view:
        return HttpResponseRedirect(tickets.with_ticket(reverse("recovery_codes"), request))
    ticket = tickets.from_request(request)
    return HttpResponseRedirect(tickets.with_ticket(reverse("account_login" if ticket else "mfa_index"), request))


def _removed(request: HttpRequest, factor: Authenticator, words: str) -> HttpResponse:
    kind = "passkey" if factor.type == Type.WEBAUTHN else "authenticator app"
    with transaction.atomic():
        second_factors.remove(factor)
        log_sign_in_change(Action.SECOND_FACTOR_REMOVED, _person(request), kind)
    request.session.cycle_key()
    messages.success(request, words)
    return redirect("mfa_index")


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)  # SignInRequiredMiddleware let nobody else in
