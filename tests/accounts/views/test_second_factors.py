"""The "Your sign-in" pages: setting up, naming and removing one's own second factors."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from accounts import tickets
from accounts.models import User
from accounts.signals import REAUTHENTICATED_AT
from audit.models import Event
from tenants.context import clinic_context
from tests.accounts.conftest import field_value, text
from tests.accounts.second_factors import (
    SECRET,
    Device,
    add_app,
    add_passkey,
    add_recovery_codes,
    passkey_options,
    totp_code,
)
from tests.conftest import PASSWORD

SECOND_FACTOR_URL = "/login/second-step"
SignIn = Callable[..., Client]
Staff = Callable[..., User]


def factor_types(user: User, label: str = "bondi") -> list[str]:
    with clinic_context(label):
        return sorted(Authenticator.objects.filter(user=user).values_list("type", flat=True))


def set_up_app(browser: Client, **more: str) -> tuple[Any, str]:
    page = text(browser.get("/account/app"))
    secret = re.search(r"data-secret>([A-Z2-7 ]+)<", page)
    assert secret
    plain = secret[1].replace(" ", "")
    return browser.post(
        "/account/app", {"sealed": field_value(page, "sealed"), "code": totp_code(plain), **more}
    ), plain


def expire_reauthentication(browser: Client) -> None:
    """Pretend that this browser signed in ten minutes ago."""
    with clinic_context("bondi"):
        session = browser.session
        session[REAUTHENTICATED_AT] = time.time() - 600
        session.save()


def test_an_app_is_set_up_and_required_at_the_next_sign_in(here: Client, user: User, clinic_client: Any) -> None:
    done, secret = set_up_app(here)
    assert done["Location"] == "/account/recovery-codes"
    assert factor_types(user) == ["recovery_codes", "totp"]
    with clinic_context("bondi"):
        cache.clear()
    browser = clinic_client("bondi")
    assert browser.post("/login", {"login": user.email, "password": PASSWORD})["Location"] == SECOND_FACTOR_URL
    assert browser.post(SECOND_FACTOR_URL, {"code": totp_code(secret)})["Location"] == "/"


def test_the_page_shows_a_qr_code(here: Client) -> None:
    page = text(here.get("/account/app"))
    assert 'src="data:image/svg+xml;base64,' in page
    assert "QR code" in page


def test_a_wrong_code_sets_up_nothing_and_keeps_the_secret(here: Client, user: User) -> None:
    page = text(here.get("/account/app"))
    refused = text(here.post("/account/app", {"sealed": field_value(page, "sealed"), "code": "000000"}))
    assert field_value(refused, "sealed") == field_value(page, "sealed")
    assert 'id="id_code_error"' in refused
    assert factor_types(user) == []


def test_two_tabs_that_set_up_an_app_do_not_mix_up_their_secrets(here: Client, user: User) -> None:
    first = text(here.get("/account/app"))
    here.get("/account/app")
    secret = re.search(r"data-secret>([A-Z2-7 ]+)<", first)
    assert secret
    shown = totp_code(secret[1].replace(" ", ""))
    assert here.post("/account/app", {"sealed": field_value(first, "sealed"), "code": shown}).status_code == 302


def test_another_users_or_an_invalid_secret_is_refused(here: Client, user: User, sign_in: SignIn) -> None:
    page = text(sign_in("bondi", "owner").get("/account/app"))
    for sealed in (field_value(page, "sealed"), "x", ""):
        assert here.post("/account/app", {"sealed": sealed, "code": totp_code()}).status_code == 200
    assert factor_types(user) == []


def test_secrets_are_sealed_in_the_database_and_never_in_the_session(here: Client, user: User) -> None:
    _, secret = set_up_app(here)
    with clinic_context("bondi"):
        rows = str(list(Authenticator.objects.values_list("data", flat=True)))
        assert secret not in rows
        assert rows.count("gAAAA") == 2  # the app's secret and the seed of the codes
        assert "_auth_user_id" in here.session
        assert secret not in str(dict(here.session.items()))


def test_a_new_passkey_signs_in_alone(here: Client, user: User, clinic_client: Any) -> None:
    device = Device()
    made = here.post(
        "/account/passkeys/add",
        {"credential": device.create(passkey_options(here, "/account/passkeys/ask")), "name": "Blue key"},
    )
    assert made["Location"] == "/account/recovery-codes"
    assert "Blue key" in text(here.get("/account/"))
    browser = clinic_client("bondi")
    answer = device.get(passkey_options(browser, "/login/passkey/ask"))
    assert browser.post("/login/passkey", {"credential": answer})["Location"] == "/"


def test_a_passkey_for_another_host_or_without_a_prompt_is_refused(here: Client, user: User) -> None:
    asked = passkey_options(here, "/account/passkeys/ask")
    of_harbour = Device("harbour.localhost").create(asked)
    assert here.post("/account/passkeys/add", {"credential": of_harbour}).status_code == 200
    assert here.post("/account/passkeys/add", {"credential": Device().create(asked)}).status_code == 200
    for malformed in ("{}", "[]", "null", '{"id": "eA", "rawId": "eA", "response": {"attestationObject": "eA"}}'):
        passkey_options(here, "/account/passkeys/ask")
        assert here.post("/account/passkeys/add", {"credential": malformed}).status_code == 200
    assert factor_types(user) == []


def test_the_prompt_names_this_clinics_host(here: Client) -> None:
    asked = passkey_options(here, "/account/passkeys/ask")["publicKey"]
    assert asked["rp"] == {"id": "bondi.localhost", "name": "Sidechart at Bondi Physio"}
    assert asked["authenticatorSelection"]["userVerification"] == "required"


def test_recovery_codes_are_shown_once(here: Client, user: User) -> None:
    set_up_app(here)
    shown = re.findall(r"<li>(\d{8})</li>", text(here.get("/account/recovery-codes")))
    assert len(set(shown)) == 10
    assert here.get("/account/recovery-codes")["Location"] == "/account/"
    assert "10 left" in text(here.get("/account/"))


def test_new_recovery_codes_replace_the_old_ones(here: Client, user: User, clinic_client: Any) -> None:
    add_app("bondi", user)
    old, *_ = add_recovery_codes("bondi", user)
    here.post("/account/recovery-codes/new")
    new, *_ = re.findall(r"<li>(\d{8})</li>", text(here.get("/account/recovery-codes")))
    browser = clinic_client("bondi")
    browser.post("/login", {"login": user.email, "password": PASSWORD})
    assert browser.post(SECOND_FACTOR_URL, {"code": old}).status_code == 200
    assert browser.post(SECOND_FACTOR_URL, {"code": new}).status_code == 302


def test_only_its_owner_can_rename_and_remove_a_passkey(
    here: Client, user: User, staff_member: Staff, sign_in: SignIn
) -> None:
    add_passkey("bondi", user)
    with clinic_context("bondi"):
        number = Authenticator.objects.get().pk
    colleague = sign_in("bondi", "owner")
    for what in ("rename", "remove"):
        assert colleague.post(f"/account/passkeys/{number}/{what}", {"name": "Mine"}).status_code == 404
    here.post(f"/account/passkeys/{number}/rename", {"name": "<b>Blue</b>"})
    assert "&lt;b&gt;Blue&lt;/b&gt;" in text(here.get("/account/"))
    here.post(f"/account/passkeys/{number}/remove")
    assert factor_types(user) == []


def test_removing_the_last_factor_removes_the_recovery_codes(here: Client, user: User) -> None:
    set_up_app(here)
    add_passkey("bondi", user)
    here.post("/account/app/remove")
    assert factor_types(user) == ["recovery_codes", "webauthn"]
    with clinic_context("bondi"):
        number = Authenticator.objects.get(type="webauthn").pk
    here.post(f"/account/passkeys/{number}/remove")
    assert factor_types(user) == []


def test_a_second_factor_at_one_clinic_is_not_required_at_another(
    here: Client, user: User, sign_in: SignIn, staff_member: Staff
) -> None:
    set_up_app(here)
    assert sign_in("harbour").get("/patients/42/").status_code == 200
    assert factor_types(staff_member("harbour"), "harbour") == []


def test_the_ticket_survives_the_set_up(here: Client) -> None:
    with clinic_context("bondi"):
        ticket = tickets.issue("/patients/42/")
    assert f"/account/app?t={ticket}" in text(here.get(f"/account/?t={ticket}"))
    done, _ = set_up_app(here, t=ticket)
    assert done["Location"] == f"/account/recovery-codes?t={ticket}"
    assert f'href="/login?t={ticket}"' in text(here.get(done["Location"]))
    assert here.get(f"/login?t={ticket}")["Location"] == "/patients/42/"


def test_adding_a_factor_changes_the_session_key(here: Client) -> None:
    before = here.session.session_key
    set_up_app(here)
    assert here.session.session_key != before


# --- Reauthentication -------------------------------------------------------------------------------------------------

CHANGES = [
    ("GET", "/account/app"),
    ("POST", "/account/app"),
    ("POST", "/account/app/remove"),
    ("GET", "/account/passkeys/add"),
    ("POST", "/account/passkeys/add"),
    ("POST", "/account/passkeys/ask"),
    ("POST", "/account/passkeys/1/rename"),
    ("POST", "/account/passkeys/1/remove"),
    ("GET", "/account/recovery-codes"),
    ("POST", "/account/recovery-codes/new"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_every_change_needs_a_recent_sign_in(here: Client, user: User, method: str, path: str) -> None:
    add_app("bondi", user)
    expire_reauthentication(here)
    assert here.generic(method, path)["Location"].startswith("/account/confirm?t=")
    assert factor_types(user) == ["totp"]


def confirm(browser: Client, path: str, **answer: str) -> Any:
    expire_reauthentication(browser)
    asked = browser.get(path)["Location"]
    ticket = field_value(text(browser.get(asked)), "t")
    return browser.post("/account/confirm", {"t": ticket, **answer})


def test_password_code_or_passkey_confirm_and_lead_back(here: Client, user: User) -> None:
    path = "/account/passkeys/add"
    assert confirm(here, path, password=PASSWORD)["Location"] == path
    assert here.get(path).status_code == 200
    add_app("bondi", user)
    assert confirm(here, path, code=totp_code(SECRET))["Location"] == path
    device = add_passkey("bondi", user)
    answer = device.get(passkey_options(here, "/account/confirm/passkey"))
    assert confirm(here, path, credential=answer)["Location"] == path


def test_a_wrong_password_or_code_confirms_nothing(here: Client, user: User) -> None:
    add_app("bondi", user)
    for wrong in ({"password": "wrong"}, {"code": "000000"}, {"credential": "{}"}, {}):
        assert confirm(here, "/account/passkeys/add", **wrong).status_code == 200
        assert here.get("/account/passkeys/add").status_code == 302


def test_wrong_passwords_count_towards_the_sign_in_rate_limit(here: Client) -> None:
    for _ in range(5):
        confirm(here, "/account/app", password="wrong")
    assert "Too many attempts" in text(confirm(here, "/account/app", password=PASSWORD))


def test_clicking_done_twice_sets_up_one_app_and_both_continue(here: Client, user: User) -> None:
    done, _ = set_up_app(here)
    again = here.post("/account/app", {"sealed": "x", "code": "123456"})
    assert done["Location"] == again["Location"] == "/account/recovery-codes"
    assert factor_types(user) == ["recovery_codes", "totp"]
    with clinic_context("bondi"):
        assert Event.objects.filter(action="second_factor_added").count() == 1
