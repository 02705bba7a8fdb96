"""Middleware for private responses, sessions, sign-in and required second factors."""

from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from accounts import second_factors, sessions
from accounts.models import schema_name
from accounts.signals import SESSION_CLINIC
from accounts.tickets import referring_page, sign_in_redirect, sign_in_url, url_with_return

GetResponse = Callable[[HttpRequest], HttpResponse]


class PrivacyHeadersMiddleware:
    """Keep responses out of caches and search engines. Static files stay cacheable: they are the same for everyone."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if response.status_code >= 400 or not request.path.startswith(settings.STATIC_URL):
            response["Cache-Control"] = "no-store, private"
            response["X-Robots-Tag"] = "noindex, nofollow"
        return response


class SessionClinicMiddleware:
    """Flush a session that was started in another schema, without touching that schema's data."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSION_KEY in request.session and request.session.get(SESSION_CLINIC) != schema_name():
            request.session.flush()
            request.user = AnonymousUser()
        return self.get_response(request)


class SessionTimeoutMiddleware:
    """End sessions that are idle or open for too long, or that someone ended. Only user activity extends them."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSION_KEY not in request.session:
            return self.get_response(request)
        session = sessions.current(request)
        if session is None:
            request.session.flush()
            request.user = AnonymousUser()
            return self.get_response(request)
        if session.authenticates(request):
            request.user = session.row.user  # saves Django's query for the same user
        if sessions.is_user_activity(request):
            session.extend()
        cast("sessions.SignedInRequest", request).current_session = session
        response = self.get_response(request)
        response["X-Session-Seconds"] = str(session.seconds_left())
        return response


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Send visitors to sign in, on every page not marked `login_not_required`."""

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponse:  # type: ignore[override] # the stubs allow redirects only
        if request.headers.get("HX-Request") == "true":
            return HttpResponse(status=401, headers={"HX-Redirect": sign_in_url(referring_page(request))})
        return sign_in_redirect(request.get_full_path() if request.method in ("GET", "HEAD") else None)


class SecondFactorMiddleware:
    """Send users without a required second factor to set one up, with a ticket back to the page."""

    _SET_UP_URL_NAMES = frozenset(
        "mfa_index app passkey_add passkey_of_add confirm passkey_of_confirm recovery_codes recovery_codes_new".split()
    )

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if not getattr(view, "login_required", True) or not request.resolver_match:
            return None
        if request.resolver_match.url_name in self._SET_UP_URL_NAMES:
            return None
        if not second_factors.is_missing(request, on=timezone.localdate()):
            return None
        if request.headers.get("HX-Request") == "true":
            return HttpResponse(status=403, headers={"HX-Redirect": url_with_return("mfa_index", None)})
        return HttpResponseRedirect(
            url_with_return("mfa_index", request.get_full_path() if request.method == "GET" else None)
        )
