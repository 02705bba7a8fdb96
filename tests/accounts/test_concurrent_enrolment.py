"""Two concurrent clicks on Done in the set-up of an authenticator app."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from accounts import second_factors
from accounts.models import CacheEntry, User
from audit.models import Event
from tests.accounts.conftest import field_value
from tests.accounts.second_factors import totp_code

RunConcurrently = Callable[..., list[Any]]
EMAIL = "done-twice@clinic.example"


@pytest.fixture
def browsers(run_concurrently: RunConcurrently) -> Iterator[list[Client]]:
    """Two signed-in tabs of a committed user."""

    def sign_in() -> list[Client]:
        user = User.objects.create(email=EMAIL, name="Robin")
        tabs = [Client(HTTP_HOST="bondi.localhost") for _ in range(2)]
        for tab in tabs:
            tab.force_login(user)
        return tabs

    yield run_concurrently(sign_in)[0]
    for leftover in (User.objects.filter(email=EMAIL), Session.objects.all(), CacheEntry.objects.all()):
        run_concurrently(leftover.delete)


def test_of_two_concurrent_clicks_one_sets_up_the_app_and_both_continue(
    run_concurrently: RunConcurrently, browsers: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = threading.Barrier(2)
    ensure_recovery_codes = second_factors.ensure_recovery_codes

    def slowly(user: User) -> None:
        threading.Event().wait(0.3)  # the second click arrives before the first is done
        ensure_recovery_codes(user)

    monkeypatch.setattr(second_factors, "ensure_recovery_codes", slowly)

    def click(browser: Client) -> str:
        try:
            page = browser.get("/account/app").content.decode()
            secret = re.findall(r"data-secret>([A-Z2-7 ]+)<", page)[0].replace(" ", "")
            ready.wait(5)
            return str(
                browser.post("/account/app", {"sealed": field_value(page, "sealed"), "code": totp_code(secret)})[
                    "Location"
                ]
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(click, browsers)) == ["/account/recovery-codes"] * 2
    types, events = run_concurrently(
        lambda: sorted(Authenticator.objects.filter(user__email=EMAIL).values_list("type", flat=True)),
        lambda: Event.objects.filter(user_email=EMAIL, action="second_factor_added").count(),
    )
    assert types == ["recovery_codes", "totp"]
    assert events == 1
