"""Clicks on the button in Cliniko that reach a wrong URL: open no one, and say what to change."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from launch.button_clicks import Kind, app_url, record_click, url_parts
from launch.error_pages import render_error
from launch.http import has_patient_id
from launch.messages import BUTTON_MESSAGES, WRONG_URL
from sync.read import patients

_LAUNCHES = {"launch", "launch_with_slash"}
_ANOTHER_ACCOUNT = "another_account"


class MisdirectedLaunchMiddleware:
    """Answer every click that reaches a page of a clinic other than the launch.

    Otherwise that page would look as if nothing were wrong, and an App URL of `/patients/42/` would show patient 42
    whichever patient was clicked.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SECURE_SSL_REDIRECT and not request.is_secure() and is_click(request):
            record_click(Kind.HTTP, request)
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        match = request.resolver_match
        if not is_click(request) or (match and match.url_name in _LAUNCHES):
            return None
        return wrong_url(request)


def is_click(request: HttpRequest) -> bool:
    """Return True for a request to a clinic with a patient's ID, as Cliniko's button sends it, to any URL."""
    return getattr(request, "clinic", None) is not None and has_patient_id(request)


def wrong_url(request: HttpRequest) -> HttpResponse:
    """Return the page for a click on a wrong URL. Visitors learn only that this host is a clinic's."""
    kind = mistake_in(request.path)
    record_click(kind, request)
    fix = BUTTON_MESSAGES[kind].what_to_do.format(**url_parts())
    return render_error(request, WRONG_URL, url=app_url(), fix=fix)


def mistake_in(path: str) -> Kind:
    """Return the mistake in a path other than `/patients`."""
    trimmed = path.rstrip("/")
    if not trimmed:
        return Kind.NO_PATH
    if path.startswith("/patients/"):
        return Kind.MORE_PATH
    return {"/patient": Kind.SINGULAR, "/patients": Kind.CAPITALS}.get(trimmed.lower(), Kind.OTHER_PATH)


def is_from_another_account(request: HttpRequest) -> bool:
    """Return True if the click came from a page of a Cliniko account that isn't this clinic's.

    Browsers send that page's origin unless it forbids them to. An account that was renamed in Cliniko after its key was
    entered here counts as another.
    """
    if is_marked_another_account(request):
        return True
    account = _account_in(request.headers.get("Referer", ""))
    return bool(account) and _account_in(patients.clinic_facts().cliniko_url) not in ("", account)


def is_marked_another_account(request: HttpRequest) -> bool:
    return _ANOTHER_ACCOUNT in request.GET


def another_account_url(request: HttpRequest) -> str:
    """Return this launch's URL with a mark, because after sign-in the Referer no longer names the page in Cliniko."""
    return f"{request.path}?{urlencode({'patient_id': request.GET['patient_id'], _ANOTHER_ACCOUNT: 'yes'})}"


def _account_in(url: str) -> str:
    """Return the subdomain of the account whose page in Cliniko this is, or "" for any other page."""
    pages = re.escape(settings.CLINIKO_WEB_URL).replace(r"\{shard\}", "[a-z]{2}[0-9]{1,2}")
    found = re.match(pages.replace(r"\{subdomain\}", "([a-z0-9-]+)") + r"(?:/|\Z)", url)
    return found[1] if found else ""
