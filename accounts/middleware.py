"""What every request meets: private answers, a session of this host only, and sign-in before anything else."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from accounts import second_factors, sessions
from accounts.models import schema_name
from accounts.signals import SESSION_CLINIC
from accounts.tickets import InvalidReturnPath, issue, referring_page, sign_in_redirect, sign_in_url

GetResponse = Callable[[HttpRequest], HttpResponse]

_NO_DEVICE = "browsing-topics=(), camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"


class PrivacyHeadersMiddleware:
    """Keep answers out of caches and search engines. Static files, the same for everybody, stay cacheable."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", _NO_DEVICE)
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if response.status_code >= 400 or not request.path.startswith(settings.STATIC_URL):
            response["Cache-Control"] = "no-store, private"
            response["X-Robots-Tag"] = "noindex, nofollow"
        return response


class SessionClinicMiddleware:
    """Forget a session that was not signed in at the clinic of this host, or as ops on the base host; and nothing
    of the one that it belongs to."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSION_KEY in request.session and request.session.get(SESSION_CLINIC) != schema_name():
            request.session.flush()
            request.user = AnonymousUser()
        return self.get_response(request)


class SessionTimeoutMiddleware:
    """End a session that was idle or open for too long, or that somebody ended. Only what a person does puts it off."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSION_KEY not in request.session:
            return self.get_response(request)
        held = sessions.current(request)
        if held is None:
            request.session.flush()
            request.user = AnonymousUser()
            return self.get_response(request)
        if held.authenticates(request):
            request.user = held.row.user  # or Django would ask for the same person again
        if sessions.is_user_activity(request):
            held.extend()
        request.held_session = held  # type: ignore[attr-defined] # ours, for templates
        response = self.get_response(request)
        response["X-Session-Seconds"] = str(held.seconds_left())
        return response


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Send visitors to sign in before any page that is not marked `login_not_required`: staff at their clinic, ops on
    the base host."""

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponse:  # type: ignore[override] # the stubs know no answer but a redirect
        if request.headers.get("HX-Request") == "true":
            return HttpResponse(status=401, headers={"HX-Redirect": sign_in_url(referring_page(request))})
        return sign_in_redirect(request.get_full_path() if request.method in ("GET", "HEAD") else None)


class SecondFactorMiddleware:
    """Lead staff without a second factor to its set-up, once their clinic requires one, and ops at once; and on to the
    page after."""

    _OPEN = frozenset(
        "mfa_index app passkey_add passkey_of_add confirm passkey_of_confirm recovery_codes recovery_codes_new".split()
    )

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if not getattr(view, "login_required", True) or not request.resolver_match:
            return None
        if request.resolver_match.url_name in self._OPEN or not second_factors.is_missing(
            request, on=timezone.localdate()
        ):
            return None
        is_fragment = request.headers.get("HX-Request") == "true"
        url = _set_up_url(request.get_full_path() if request.method == "GET" and not is_fragment else None)
        return HttpResponse(status=403, headers={"HX-Redirect": url}) if is_fragment else HttpResponseRedirect(url)


def _set_up_url(path: str | None) -> str:
    try:
        return f"{reverse('mfa_index')}?t={issue(path)}" if path else reverse("mfa_index")
    except InvalidReturnPath:
        return reverse("mfa_index")
