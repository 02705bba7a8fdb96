"""Several tabs in sign-in at once: each ends on its own patient."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from tenants.context import clinic_context
from tests.accounts.conftest import field_value
from tests.accounts.second_factors import totp_code
from tests.accounts.views.test_second_factor_sign_in import SECOND_FACTOR_URL, Browsers, is_signed_in, launch, sign_in


def finish(browser: Client, user: User, ticket: str, patient: str) -> None:
    """Do in a tab what its pages ask for, until it shows its patient."""
    answer = browser.post(SECOND_FACTOR_URL, {"code": totp_code(), "t": ticket})
    for _ in range(3):
        if answer.status_code == 302 and answer["Location"].startswith("/login"):
            answer = browser.get(answer["Location"])
        if answer.status_code == 200:
            assert field_value(answer.content.decode(), "t") == ticket
            answer = sign_in(browser, user, ticket)
        if answer["Location"].startswith(SECOND_FACTOR_URL):
            with clinic_context("bondi"):
                cache.clear()  # as if minutes later, with another code
            answer = browser.post(SECOND_FACTOR_URL, {"code": totp_code(), "t": ticket})
    assert answer["Location"] == f"/patients/{patient}/"


@pytest.mark.parametrize("order", list(itertools.permutations(["42", "43"])))
@pytest.mark.parametrize("abandoned", [True, False])
def test_tabs_waiting_for_a_code_each_end_on_their_own_patient(
    clinic_client: Browsers, app_user: User, order: tuple[str, ...], abandoned: bool
) -> None:
    browser = clinic_client("bondi")
    tickets = {}
    for patient in ("42", "43"):
        tickets[patient] = launch(browser, patient)
        sign_in(browser, app_user, tickets[patient])
    if abandoned:
        launch(browser, "44")
    for patient in order:
        finish(browser, app_user, tickets[patient], patient)


def test_a_launch_in_another_tab_restarts_the_sign_in_of_a_waiting_tab(clinic_client: Browsers, app_user: User) -> None:
    browser = clinic_client("bondi")
    first = launch(browser, "42")
    sign_in(browser, app_user, first)
    second = launch(browser, "43")
    assert browser.post(SECOND_FACTOR_URL, {"code": totp_code(), "t": first})["Location"] == f"/login?t={first}"
    assert not is_signed_in(browser)
    finish(browser, app_user, second, "43")
    finish(browser, app_user, first, "42")


def test_an_older_sign_in_form_can_sign_in_another_user(
    clinic_client: Browsers, app_user: User, staff_member: Callable[..., User]
) -> None:
    browser = clinic_client("bondi")
    first, second = launch(browser, "42"), launch(browser, "43")
    sign_in(browser, app_user, first)
    assert sign_in(browser, staff_member("bondi", "owner"), second)["Location"] == "/patients/43/"
    assert browser.post(SECOND_FACTOR_URL, {"code": totp_code(), "t": first})["Location"] == "/patients/42/"


def test_a_stale_code_form_leads_back_to_its_own_ticket(csrf_client: Callable[[str], Client], app_user: User) -> None:
    browser = csrf_client("bondi")
    ticket = launch(browser, "42")
    assert browser.post(SECOND_FACTOR_URL, {"code": totp_code(), "t": ticket})["Location"] == f"/login?t={ticket}"


def test_the_ticket_survives_a_password_reset(clinic_client: Browsers, user: User) -> None:
    browser = clinic_client("bondi")
    ticket = launch(browser, "42")
    form = browser.get(f"/password/reset/?t={ticket}").content.decode()
    asked = browser.post("/password/reset/", {"email": user.email, "t": field_value(form, "t")})
    assert asked["Location"] == f"/password/reset/done/?t={ticket}"
    assert f'href="/login?t={ticket}"' in browser.get(asked["Location"]).content.decode()
    assert sign_in(browser, user, ticket)["Location"] == "/patients/42/"


def test_the_reset_email_does_not_contain_the_ticket(
    clinic_client: Browsers, user: User, mailoutbox: list[Any]
) -> None:
    browser = clinic_client("bondi")
    ticket = launch(browser, "42")
    browser.post("/password/reset/", {"email": user.email, "t": ticket})
    assert ticket[:40] not in str(mailoutbox[-1].message())
    assert "t=" not in str(mailoutbox[-1].body)
