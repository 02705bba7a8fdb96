"""Signing in with a second factor, or with a passkey alone."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from tenants.context import clinic_context
from tests.accounts.conftest import field_value
from tests.accounts.second_factors import add_app, add_passkey, add_recovery_codes, passkey_options, totp_code
from tests.conftest import PASSWORD

SECOND_FACTOR_URL = "/login/second-step"
Browsers = Callable[[str], Client]


def sign_in(browser: Client, user: User, ticket: str = "") -> Any:
    return browser.post("/login", {"login": user.email, "password": PASSWORD} | ({"t": ticket} if ticket else {}))


def launch(browser: Client, patient: str) -> str:
    """Open a patient in a new tab and return the ticket on its sign-in page."""
    return field_value(browser.get(browser.get(f"/patients/{patient}/")["Location"]).content.decode(), "t")


def is_signed_in(browser: Client) -> bool:
    return browser.get("/patients/42/").status_code == 200


def test_the_password_alone_does_not_sign_in_a_user_with_an_app(clinic_client: Browsers, app_user: User) -> None:
    browser = clinic_client("bondi")
    assert sign_in(browser, app_user)["Location"] == SECOND_FACTOR_URL
    assert not is_signed_in(browser)
    assert browser.post(SECOND_FACTOR_URL, {"code": totp_code()})["Location"] == "/"
    assert is_signed_in(browser)


def test_the_ticket_survives_password_and_code(clinic_client: Browsers, app_user: User) -> None:
    browser = clinic_client("bondi")
    ticket = launch(browser, "42")
    step = sign_in(browser, app_user, ticket)["Location"]
    assert step == f"{SECOND_FACTOR_URL}?t={ticket}"
    page = browser.get(step).content.decode()
    assert (
        browser.post(SECOND_FACTOR_URL, {"code": totp_code(), "t": field_value(page, "t")})["Location"]
        == "/patients/42/"
    )


def test_a_wrong_code_keeps_the_ticket(clinic_client: Browsers, app_user: User) -> None:
    browser = clinic_client("bondi")
    ticket = launch(browser, "42")
    sign_in(browser, app_user, ticket)
    refused = browser.post(SECOND_FACTOR_URL, {"code": "000000", "t": ticket})
    assert refused.status_code == 200
    assert field_value(refused.content.decode(), "t") == ticket


def test_a_recovery_code_works_once(clinic_client: Browsers, app_user: User) -> None:
    first, second, *_ = add_recovery_codes("bondi", app_user)
    for number, (tried, works) in enumerate(((first, True), (first, False), (second, True))):
        browser = clinic_client("bondi")
        ticket = launch(browser, str(42 + number))
        sign_in(browser, app_user, ticket)
        answer = browser.post(SECOND_FACTOR_URL, {"code": tried, "t": ticket})
        assert answer.get("Location") == (f"/patients/{42 + number}/" if works else None)


def test_a_code_from_the_app_works_once_while_and_after_it_is_shown(clinic_client: Browsers, app_user: User) -> None:
    shown = totp_code(steps=1)
    for works in (True, False):
        browser = clinic_client("bondi")
        sign_in(browser, app_user)
        assert (browser.post(SECOND_FACTOR_URL, {"code": shown}).status_code == 302) == works
        with clinic_context("bondi"):  # allauth itself forgets a used code after half a minute
            cache.delete(f"allauth.mfa.totp.used?user={app_user.pk}&code={shown}")


def test_a_passkey_works_as_second_factor(clinic_client: Browsers, user: User) -> None:
    device = add_passkey("bondi", user)
    browser = clinic_client("bondi")
    ticket = launch(browser, "42")
    assert sign_in(browser, user, ticket)["Location"].startswith(SECOND_FACTOR_URL)
    answer = device.get(passkey_options(browser, f"{SECOND_FACTOR_URL}/passkey"), verified=False)
    assert browser.post(SECOND_FACTOR_URL, {"credential": answer, "t": ticket})["Location"] == "/patients/42/"


def test_a_passkey_alone_signs_in_and_follows_the_ticket(clinic_client: Browsers, user: User) -> None:
    device = add_passkey("bondi", user)
    add_app("bondi", user)
    browser = clinic_client("bondi")
    ticket = launch(browser, "42")
    answer = device.get(passkey_options(browser, "/login/passkey/ask"))
    assert browser.post("/login/passkey", {"credential": answer, "t": ticket})["Location"] == "/patients/42/"


def test_a_passkey_without_user_verification_does_not_sign_in_alone(clinic_client: Browsers, user: User) -> None:
    device = add_passkey("bondi", user)
    browser = clinic_client("bondi")
    ticket = launch(browser, "42")
    answer = device.get(passkey_options(browser, "/login/passkey/ask"), verified=False)
    assert browser.post("/login/passkey", {"credential": answer, "t": ticket})["Location"] == f"/login?t={ticket}"
    assert not is_signed_in(browser)


def test_a_response_for_the_second_factor_does_not_sign_in_alone(clinic_client: Browsers, user: User) -> None:
    device = add_passkey("bondi", user)
    browser = clinic_client("bondi")
    sign_in(browser, user)
    answer = device.get(passkey_options(browser, f"{SECOND_FACTOR_URL}/passkey"), verified=False)
    assert browser.post("/login/passkey", {"credential": answer})["Location"] == "/login"
    assert not is_signed_in(browser)


def test_a_passkey_response_works_once(clinic_client: Browsers, user: User) -> None:
    device = add_passkey("bondi", user)
    browser = clinic_client("bondi")
    answer = device.get(passkey_options(browser, "/login/passkey/ask"))
    assert browser.post("/login/passkey", {"credential": answer})["Location"] == "/"
    browser.post("/logout")
    assert browser.post("/login/passkey", {"credential": answer})["Location"] == "/login"


def test_a_passkey_does_not_work_at_another_clinic(clinic_client: Browsers, twins: str) -> None:
    """Even for the same user id at both, and even with the row copied into the other clinic's table."""
    with clinic_context("bondi"):
        user = User.objects.get(email=twins)
    device = add_passkey("bondi", user)
    with clinic_context("bondi"):
        copied = Authenticator.objects.get().data
    for data in (None, copied):
        if data:
            with clinic_context("harbour"):
                Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data=data)
        browser = clinic_client("harbour")
        answer = device.get(passkey_options(browser, "/login/passkey/ask"))
        assert browser.post("/login/passkey", {"credential": answer})["Location"] == "/login"
        assert not is_signed_in(browser)


@pytest.mark.parametrize("field_name", ["origin", "host"])
def test_a_passkey_prompted_by_another_site_is_refused(clinic_client: Browsers, user: User, field_name: str) -> None:
    device = add_passkey("bondi", user)
    browser = clinic_client("bondi")
    asked = passkey_options(browser, "/login/passkey/ask")
    if field_name == "host":
        device.host = "harbour.localhost"
    else:
        device.origin = "http://evil.example"
    assert browser.post("/login/passkey", {"credential": device.get(asked)})["Location"] == "/login"


@pytest.mark.parametrize(
    "malformed",
    [
        *["", "{", "null", "[]", "1", '"x"', "{}", '{"response": 1}', '{"id": "x", "rawId": "eA", "response": {}}'],
        '{"id": "eA", "rawId": "eA", "type": "public-key", "response": {"userHandle": null, "clientDataJSON": "eA"}}',
    ],
)
@pytest.mark.parametrize("path", ["/login/passkey", SECOND_FACTOR_URL])
def test_a_malformed_response_is_refused(clinic_client: Browsers, user: User, malformed: str, path: str) -> None:
    add_passkey("bondi", user)
    browser = clinic_client("bondi")
    if path == SECOND_FACTOR_URL:
        sign_in(browser, user)
    passkey_options(browser, "/login/passkey/ask" if path != SECOND_FACTOR_URL else f"{SECOND_FACTOR_URL}/passkey")
    assert browser.post(path, {"credential": malformed}).status_code in (200, 302)
    assert not is_signed_in(browser)


def test_a_secret_copied_to_another_user_or_clinic_cannot_be_unsealed(
    clinic_client: Browsers, staff_member: Callable[..., User], twins: str
) -> None:
    with clinic_context("bondi"):
        twin = User.objects.get(email=twins)
    of_bondi = add_app("bondi", twin).data
    for label, thief in (("harbour", twin), ("bondi", staff_member("bondi", "owner"))):
        authenticator = add_app(label, thief)
        with clinic_context(label):
            authenticator.data = of_bondi
            authenticator.save()
        browser = clinic_client(label)
        sign_in(browser, thief)
        assert browser.post(SECOND_FACTOR_URL, {"code": totp_code()}).status_code == 200
        assert not is_signed_in(browser)


def test_verifying_a_second_factor_changes_the_session_key(clinic_client: Browsers, app_user: User) -> None:
    browser = clinic_client("bondi")
    sign_in(browser, app_user)
    before = browser.session.session_key
    browser.post(SECOND_FACTOR_URL, {"code": totp_code()})
    assert browser.session.session_key != before


def test_wrong_codes_are_limited_per_user_whatever_the_ip_address(clinic_client: Browsers, app_user: User) -> None:
    for number in range(5):
        browser = clinic_client("bondi")
        sign_in(browser, app_user)
        browser.post(SECOND_FACTOR_URL, {"code": f"00000{number}"}, REMOTE_ADDR=f"203.0.113.{number}")
    refused = browser.post(SECOND_FACTOR_URL, {"code": totp_code()}, REMOTE_ADDR="203.0.113.99")
    assert "Too many attempts" in refused.content.decode()
    assert not is_signed_in(browser)


def test_wrong_codes_at_one_clinic_do_not_count_at_another(clinic_client: Browsers, twins: str) -> None:
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            user = User.objects.get(email=twins)
        add_app(label, user)
    for _ in range(6):
        browser = clinic_client("bondi")
        sign_in(browser, user)
        browser.post(SECOND_FACTOR_URL, {"code": "000000"})
    browser = clinic_client("harbour")
    sign_in(browser, user)
    assert browser.post(SECOND_FACTOR_URL, {"code": totp_code()}).status_code == 302


def test_unknown_passkeys_are_rate_limited(clinic_client: Browsers) -> None:
    browser = clinic_client("bondi")
    answers = [browser.post("/login/passkey", {"credential": "{}"}).status_code for _ in range(121)]
    assert answers == [302] * 120 + [429]
