"""Clicks on a button whose address in Cliniko is wrong: nobody is opened, and who clicked is told what to change."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from launch.button_clicks import Kind, address, note
from launch.button_messages import change_for
from launch.error_pages import Explanation, explain
from launch.http import names_a_patient
from sync.read import patients

_LAUNCHES = {"launch", "launch_with_slash"}
_ASTRAY = "another_account"


class MisdirectedLaunchMiddleware:
    """Answer every click that comes to a page of a clinic other than the launch.

    Such a page would be shown as if nothing were wrong, and `/patients/42/`, once entered in Cliniko, would show
    patient 42 whoever was clicked.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SECURE_SSL_REDIRECT and not request.is_secure() and is_click(request):
            note(Kind.HTTP, request)
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        match = request.resolver_match
        if not is_click(request) or (match and match.url_name in _LAUNCHES):
            return None
        return wrong_address(request)


def is_click(request: HttpRequest) -> bool:
    """Whether a clinic is asked as Cliniko's button asks, whatever else is wrong with the address."""
    return getattr(request, "clinic", None) is not None and names_a_patient(request)


def wrong_address(request: HttpRequest) -> HttpResponse:
    """The page for whoever clicked. To visitors it says no more than that this host is a clinic's."""
    kind = kind_of(request.path)
    note(kind, request)
    explanation = Explanation(
        status=404,
        title="The button's address in Cliniko has a mistake",
        happened="No {patient} was opened. The address of the button should be:",
        address=address(),
        help=f"{change_for(kind)} Whoever may change settings in Cliniko does that under Settings > Our clinic > "
        "Integrations, in Connected patient apps.",
        button=True,
    )
    return explain(request, explanation)


def kind_of(path: str) -> Kind:
    """What is wrong with a path that is not `/patients`."""
    trimmed = path.rstrip("/")
    if not trimmed:
        return Kind.NO_PATH
    if path.startswith("/patients/"):
        return Kind.MORE_PATH
    return {"/patient": Kind.SINGULAR, "/patients": Kind.CAPITALS}.get(trimmed.lower(), Kind.OTHER_PATH)


def is_of_another_account(request: HttpRequest) -> bool:
    """Whether the page that was left for this one is known to be of a Cliniko account that is not this clinic's.

    Browsers tell the origin of that page unless it forbids them to. An account that got another name in Cliniko since
    its key was entered is taken for another.
    """
    if is_marked_astray(request):
        return True
    theirs = _account_in(request.headers.get("Referer", ""))
    return bool(theirs) and _account_in(patients.clinic_facts().cliniko_url) not in ("", theirs)


def is_marked_astray(request: HttpRequest) -> bool:
    return _ASTRAY in request.GET


def astray_address(request: HttpRequest) -> str:
    """This launch with a mark: after a sign-in nothing else remembers which page of Cliniko was left."""
    return f"{request.path}?{urlencode({'patient_id': request.GET['patient_id'], _ASTRAY: 'yes'})}"


def _account_in(url: str) -> str:
    """The subdomain of the account whose page in Cliniko this is, or "" for any other page."""
    pages = re.escape(settings.CLINIKO_WEB_URL).replace(r"\{shard\}", "[a-z]{2}[0-9]{1,2}")
    found = re.match(pages.replace(r"\{subdomain\}", "([a-z0-9-]+)") + r"(?:/|\Z)", url)
    return found[1] if found else ""
