"""What every request meets: private answers, a session of this clinic only, and sign-in before anything else."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse

from accounts.models import schema_name
from accounts.signals import SESSION_CLINIC
from accounts.tickets import sign_in_redirect, sign_in_url

GetResponse = Callable[[HttpRequest], HttpResponse]

_NO_DEVICE = "browsing-topics=(), camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"


class PrivacyHeaders:
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


class SessionOfThisClinic:
    """Forget a session that was not signed in at the clinic of this host, and nothing of that other clinic."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSION_KEY in request.session and request.session.get(SESSION_CLINIC) != schema_name():
            request.session.flush()
            request.user = AnonymousUser()
        return self.get_response(request)


class SignInRequired(LoginRequiredMiddleware):
    """Send visitors to sign in before any page of a clinic that is not marked `login_not_required`.

    The base host has no staff; its pages guard themselves.
    """

    def process_view(self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: Any) -> Any:
        if getattr(request, "clinic", None) is None:
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponse:  # type: ignore[override] # the stubs know no answer but a redirect
        if request.headers.get("HX-Request") == "true":
            return HttpResponse(status=401, headers={"HX-Redirect": sign_in_url(_page_around(request))})
        return sign_in_redirect(request.get_full_path() if request.method in ("GET", "HEAD") else None)


def _page_around(request: HttpRequest) -> str | None:
    """The page of ours that a fragment was asked for by, as htmx tells it."""
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    if page.netloc != request.get_host():
        return None
    return f"{page.path}?{page.query}" if page.query else page.path
