"""Render pages that explain why there is nothing to show: what happened, why this might be, and what to do."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from launch.messages import NOT_AUDITED, ErrorPage
from sync.read import patients

_RETRY_SECONDS = 10


def render_error(
    request: HttpRequest, page: ErrorPage, *, url: str = "", continue_url: str = "", **values: str
) -> HttpResponse:
    """Return the page for this user or visitor. `values` fill the texts' placeholders.

    `url` is what to enter in Cliniko, `continue_url` our own page for users who know better.
    """
    # For visitors, and when the database may be the cause, don't read the clinic's own word.
    signed_in = request.user.is_authenticated
    word = patients.clinic_facts().patient_word if signed_in and page is not NOT_AUDITED else "patient"
    context = {
        "error": page.format(patient=word, **values),
        "url": url,
        "continue_url": continue_url,
        "frame": "base.html" if signed_in else "base_signed_out.html",
    }
    response = render(request, "launch/error.html", context, status=page.status)
    if page.status == 503:
        response["Retry-After"] = str(_RETRY_SECONDS)
    return response
