"""The second step of sign-in: what it takes and what it refuses."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from tenants.context import clinic_context
from tests.accounts.conftest import field_value
from tests.accounts.second_factors import passkey_options, totp_code, add_app, add_passkey, add_recovery_codes
from tests.conftest import PASSWORD

SECOND_FACTOR_URL = "/login/second-step"
Browsers = Callable[[str], Client]


@pytest.fixture
def user(staff_member: Callable[..., User]) -> User:
    return staff_member("bondi")


@pytest.fixture
def app_user(user: User) -> User:
    add_app("bondi", user)
    return user


def sign_in(browser: Client, user: User, ticket: str = "") -> Any:
    return browser.post("/login", {"login": user.email, "password": PASSWORD} | ({"t": ticket} if ticket else {}))


def launch(browser: Client, patient: str) -> str:
    """Open a tab on a patient; the ticket on its sign-in page."""
    return field_value(browser.get(browser.get(f"/patients/{patient}/")["Location"]).content.decode(), "t")


def is_signed_in(browser: Client) -> bool:
    return browser.get("/patients/42/").status_code == 200


def test_the_password_alone_signs_nobody_in_who_has_an_app(clinic_client: Browsers, app_user: User) -> None:
    browser = clinic_client("bondi")
    assert sign_in(browser, app_user)["Location"] == SECOND_FACTOR_URL
    assert not is_signed_in(browser)
    assert browser.post(SECOND_FACTOR_URL, {"code": totp_code()})["Location"] == "/"
    assert is_signed_in(browser)


def test_the_ticket_goes_through_password_and_code(clinic_client: Browsers, app_user: User) -> None:
    browser = clinic_client("bondi")
    ticket = launch(browser, "42")
    step = sign_in(browser, app_user, ticket)["Location"]
    assert step == f"{STEP}?t={ticket}"
    page = browser.get(step).content.decode()
    assert browser.post(SECOND_FACTOR_URL, {"code": totp_code(), "t": field_value(page, "t")})["Location"] == "/patients/42/"


def test_a_wrong_code_keeps_the_ticket(clinic_client: Browsers, app_user: User) -> None:
    browser = clinic_client("bondi")
    ticket = launch(browser, "42")
    sign_in(browser, app_user, ticket)
    refused = browser.post(SECOND_FACTOR_URL, {"code": "000000", "t": ticket})
    assert refused.status_code == 200
    assert field_value(refused.content.decode(), "t") == ticket


def test_a_recovery_code_counts_once(clinic_client: Browsers, app_user: User) -> None:
    first, second, *_ = add_recovery_codes("bondi", app_user)
    for number, (tried, works) in enumerate(((first, True), (first, False), (second, True))):
        browser = clinic_client("bondi")
        ticket = launch(browser, str(42 + number))
        sign_in(browser, app_user, ticket)
        answer = browser.post(SECOND_FACTOR_URL, {"code": tried, "t": ticket})
        assert answer.get("Location") == (f"/patients/{42 + number}/" if works else None)


def test_a_code_of_the_app_counts_once_as_long_as_it_is_shown_and_after(
    clinic_client: Browsers, app_user: User
) -> None:
    shown = totp_code(steps=1)
    for works in (True, False):
        browser = clinic_client("bondi")
        sign_in(browser, app_user)
        assert (browser.post(SECOND_FACTOR_URL, {"code": shown}).status_code == 302) == works
        with clinic_context("bondi"):  # allauth itself forgets a used code after half a minute
            cache.delete(f"allauth.mfa.totp.used?user={app_user.pk}&code={shown}")


def test_a_passkey_is_a_second_step(clinic_client: Browsers, user: User) -> None:
    device = add_passkey("bondi", user)
    browser = clinic_client("bondi")
    ticket = launch(browser, "42")
    assert sign_in(browser, user, ticket)["Location"].startswith(SECOND_FACTOR_URL)
    answer = device.get(passkey_options(browser, f"{STEP}/passkey"), verified=False)
    assert browser.post(SECOND_FACTOR_URL, {"credential": answer, "t": ticket})["Location"] == "/patients/42/"


def test_a_passkey_alone_signs_in_and_the_ticket_goes_along(clinic_client: Browsers, user: User) -> None:
    device = add_passkey("bondi", user)
    add_app("bondi", user)
    browser = clinic_client("bondi")
    ticket = launch(browser, "42")
    answer = device.get(passkey_options(browser, "/login/passkey/ask"))
    assert browser.post("/login/passkey", {"credential": answer, "t": ticket})["Location"] == "/patients/42/"


def test_a_passkey_that_saw_nobody_signs_nobody_in(clinic_client: Browsers, user: User) -> None:
    device = add_passkey("bondi", user)
    browser = clinic_client("bondi")
    ticket = launch(browser, "42")
    answer = device.get(passkey_options(browser, "/login/passkey/ask"), verified=False)
    assert browser.post("/login/passkey", {"credential": answer, "t": ticket})["Location"] == f"/login?t={ticket}"
    assert not is_signed_in(browser)


def test_an_answer_for_the_second_step_is_no_sign_in_by_passkey(clinic_client: Browsers, user: User) -> None:
    device = add_passkey("bondi", user)
    browser = clinic_client("bondi")
    sign_in(browser, user)
    answer = device.get(passkey_options(browser, f"{STEP}/passkey"), verified=False)
    assert browser.post("/login/passkey", {"credential": answer})["Location"] == "/login"
    assert not is_signed_in(browser)


def test_an_answer_of_a_passkey_counts_once(clinic_client: Browsers, user: User) -> None:
    device = add_passkey("bondi", user)
    browser = clinic_client("bondi")
    answer = device.get(passkey_options(browser, "/login/passkey/ask"))
    assert browser.post("/login/passkey", {"credential": answer})["Location"] == "/"
    browser.post("/logout")
    assert browser.post("/login/passkey", {"credential": answer})["Location"] == "/login"


def test_a_passkey_of_one_clinic_is_nothing_at_the_other(clinic_client: Browsers, twins: str) -> None:
    """The same person, id and all, at both; in the end even a row that somebody copied into the other's table."""
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
def test_a_passkey_asked_for_by_another_site_is_refused(clinic_client: Browsers, user: User, field_name: str) -> None:
    device = add_passkey("bondi", user)
    browser = clinic_client("bondi")
    asked = passkey_options(browser, "/login/passkey/ask")
    if field_name == "host":
        device.host = "harbour.localhost"
    else:
        device._client = lambda kind, options: (  # type: ignore[method-assign]
            type(device)._client(device, kind, options).replace(b"bondi.localhost", b"evil.example")
        )
    assert browser.post("/login/passkey", {"credential": device.get(asked)})["Location"] == "/login"


@pytest.mark.parametrize(
    "odd",
    [
        *["", "{", "null", "[]", "1", '"x"', "{}", '{"response": 1}', '{"id": "x", "rawId": "eA", "response": {}}'],
        '{"id": "eA", "rawId": "eA", "type": "public-key", "response": {"userHandle": null, "clientDataJSON": "eA"}}',
    ],
)
@pytest.mark.parametrize("path", ["/login/passkey", SECOND_FACTOR_URL])
def test_no_answer_of_another_shape_breaks_it(clinic_client: Browsers, user: User, odd: str, path: str) -> None:
    add_passkey("bondi", user)
    browser = clinic_client("bondi")
    if path == SECOND_FACTOR_URL:
        sign_in(browser, user)
    passkey_options(browser, "/login/passkey/ask" if path != SECOND_FACTOR_URL else f"{STEP}/passkey")
    assert browser.post(path, {"credential": odd}).status_code in (200, 302)
    assert not is_signed_in(browser)


def test_a_secret_copied_to_another_person_or_clinic_does_not_open(
    clinic_client: Browsers, staff_member: Callable[..., User], twins: str
) -> None:
    with clinic_context("bondi"):
        twin = User.objects.get(email=twins)
    of_bondi = add_app("bondi", twin).data
    for label, thief in (("harbour", twin), ("bondi", staff_member("bondi", "owner"))):
        held = add_app(label, thief)
        with clinic_context(label):
            held.data = of_bondi
            held.save()
        browser = clinic_client(label)
        sign_in(browser, thief)
        assert browser.post(SECOND_FACTOR_URL, {"code": totp_code()}).status_code == 200
        assert not is_signed_in(browser)


def test_the_session_changes_its_name_at_the_second_step(clinic_client: Browsers, app_user: User) -> None:
    browser = clinic_client("bondi")
    sign_in(browser, app_user)
    before = browser.session.session_key
    browser.post(SECOND_FACTOR_URL, {"code": totp_code()})
    assert browser.session.session_key != before


def test_the_tries_are_counted_by_person_and_clinic(clinic_client: Browsers, app_user: User) -> None:
    for number in range(5):
        browser = clinic_client("bondi")
        sign_in(browser, app_user)
        browser.post(SECOND_FACTOR_URL, {"code": f"00000{number}"}, REMOTE_ADDR=f"203.0.113.{number}")
    refused = browser.post(SECOND_FACTOR_URL, {"code": totp_code()}, REMOTE_ADDR="203.0.113.99")
    assert "Too many tries" in refused.content.decode()
    assert not is_signed_in(browser)


def test_tries_at_the_second_step_of_one_clinic_do_not_count_at_the_other(clinic_client: Browsers, twins: str) -> None:
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


def test_passkeys_that_nobody_knows_are_tried_for_so_long_only(clinic_client: Browsers) -> None:
    browser = clinic_client("bondi")
    answers = [browser.post("/login/passkey", {"credential": "{}"}).status_code for _ in range(121)]
    assert answers == [302] * 120 + [429]
