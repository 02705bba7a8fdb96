"""How launches end and how long they take: the button's request, and the patient's page that it leads to."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from tenants.metrics import Histogram

LAUNCHES = Histogram(
    "sidechart_launch_seconds",
    "How long the two steps of a launch took, the button's and the patient's page, by how they ended.",
    (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
STEPS = {"launch", "launch_with_slash", "patient"}
BY_STATUS = {200: "shown", 400: "explained", 404: "explained", 403: "refused", 405: "refused", 503: "unavailable"}


class LaunchMetricsMiddleware:
    """Outermost, so that all that a launch takes is in it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        if request.resolver_match and request.resolver_match.view_name in STEPS:
            LAUNCHES.observe(time.perf_counter() - began, outcome=outcome(response))
        return response


def outcome(response: HttpResponse) -> str:
    """One of few words: Prometheus keeps a series for each."""
    if response.status_code == 302:
        return "sign_in" if response["Location"].startswith(reverse("account_login")) else "sent_on"
    return BY_STATUS.get(response.status_code, "error")
