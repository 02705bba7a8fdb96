"""Measure launches: duration and outcome of the button's request and of the patient page."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from tenants.metrics import Histogram

LAUNCHES = Histogram(
    "sidechart_launch_seconds",
    "Duration of both steps of a launch, the button's request and the patient page, by outcome.",
    (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
STEPS = {"launch", "launch_with_slash", "patient"}
OUTCOMES = {200: "shown", 400: "explained", 404: "explained", 403: "refused", 405: "refused", 503: "unavailable"}


class LaunchMetricsMiddleware:
    """Observe each launch. Outermost, so that the duration includes all other middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        if request.resolver_match and request.resolver_match.view_name in STEPS:
            LAUNCHES.observe(time.perf_counter() - started, outcome=outcome(response))
        return response


def outcome(response: HttpResponse) -> str:
    """Return one of a few labels: Prometheus stores a series for each."""
    if response.status_code == 302:
        return "sign_in" if response["Location"].startswith(reverse("account_login")) else "sent_on"
    return OUTCOMES.get(response.status_code, "error")
