"""The Security page: sign-in rules, required second factors, and resetting them."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts import invitations
from accounts.models import SecurityPolicy, User
from tenants.context import clinic_context
from tenants.dates import as_date
from tests.accounts.conftest import text
from tests.accounts.second_factors import add_app, add_passkey, add_recovery_codes
from tests.accounts.views.test_second_factors import expire_reauthentication, set_up_app
from tests.conftest import PASSWORD

PATIENT_URL = "/patients/42/"
SignIn = Callable[..., Client]
Staff = Callable[..., User]


def require_second_factor(label: str = "bondi", *, days: int = 0) -> date:
    """Require a second factor at a clinic from this many days from now."""
    day = timezone.localdate() + timedelta(days=days)
    with clinic_context(label):
        SecurityPolicy.objects.update_or_create(id=1, defaults={"require_second_factor_from": day})
    return day


def test_managers_set_the_sign_in_rules(sign_in: SignIn) -> None:
    form = {"require_second_factor_from": "2030-03-01", "idle_minutes": "10", "absolute_hours": "8"}
    assert sign_in("bondi", "admin").post("/settings/security", form)["Location"] == "/settings/security"
    with clinic_context("bondi"):
        policy = SecurityPolicy.objects.get()
    assert (policy.require_second_factor_from, policy.idle_minutes, policy.absolute_hours) == (date(2030, 3, 1), 10, 8)
    with clinic_context("harbour"):
        assert not SecurityPolicy.objects.exists()
    sign_in("bondi", "admin").post("/settings/security", form | {"idle_minutes": "20"})
    with clinic_context("bondi"):
        assert SecurityPolicy.objects.get().idle_minutes == 20
    assert 'value="2030-03-01"' in text(sign_in("bondi", "owner").get("/settings/security"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"idle_minutes": "4"},
        {"idle_minutes": "61"},
        {"idle_minutes": ""},
        {"absolute_hours": "0"},
        {"absolute_hours": "25"},
        {"require_second_factor_from": "soon"},
    ],
)
def test_rules_outside_the_limits_are_refused(sign_in: SignIn, wrong: dict[str, str]) -> None:
    form = {"require_second_factor_from": "", "idle_minutes": "30", "absolute_hours": "12"} | wrong
    answer = sign_in("bondi", "owner").post("/settings/security", form)
    assert answer.status_code == 422
    assert 'role="alert"' in text(answer)
    assert "Ensure this value" not in text(answer)
    with clinic_context("bondi"):
        assert not SecurityPolicy.objects.exists()


def test_the_page_shows_who_has_a_second_factor(sign_in: SignIn, staff_member: Staff) -> None:
    add_app("bondi", staff_member("bondi"))
    staff_member("bondi", "clinician")
    page = text(sign_in("bondi", "owner").get("/settings/security"))
    assert page.count("chip--good") == 1
    assert page.count("Password only") == 2


# --- Required second factor ------------------------------------------------------------------------------------------


def test_before_the_date_every_page_shows_a_reminder_and_still_works(sign_in: SignIn) -> None:
    browser = sign_in("bondi")
    assert "needs two-step verification" not in text(browser.get("/"))
    day = require_second_factor(days=3)
    page = browser.get("/")
    assert page.status_code == 200
    assert f"From {as_date(day)} everyone at Bondi Physio needs two-step verification" in text(page)
    assert 'href="/account/"' in text(page)
    assert browser.get(PATIENT_URL).status_code == 200


def test_from_the_date_every_page_redirects_to_the_set_up_and_back(sign_in: SignIn) -> None:
    browser = sign_in("bondi")
    require_second_factor()
    sent = browser.get(PATIENT_URL)["Location"]
    assert sent.startswith("/account/?t=")
    page = text(browser.get(sent))
    assert "requires two-step verification" in page
    ticket = sent.partition("t=")[2]
    assert f"/account/app?t={ticket}" in page
    done, _ = set_up_app(browser, t=ticket)
    assert browser.get(done["Location"]).status_code == 200
    assert browser.get(f"/login?t={ticket}")["Location"] == PATIENT_URL
    assert browser.get(PATIENT_URL).status_code == 200


def test_the_ticket_of_a_launch_goes_through_sign_in_and_set_up(clinic_client: Any, staff_member: Staff) -> None:
    email = staff_member("bondi").email
    require_second_factor()
    browser = clinic_client("bondi")
    ticket = browser.get(PATIENT_URL)["Location"].partition("t=")[2]
    landed = browser.post("/login", {"login": email, "password": PASSWORD, "t": ticket})["Location"]
    sent = browser.get(landed)["Location"]
    done, _ = set_up_app(browser, t=sent.partition("t=")[2])
    assert browser.get(done["Location"]).status_code == 200
    assert browser.get(f"/login?t={sent.partition('t=')[2]}")["Location"] == PATIENT_URL


def test_an_invited_user_sets_one_up_first_and_ends_on_the_ticket(clinic_client: Any, bondi: object) -> None:
    require_second_factor()
    browser = clinic_client("bondi")
    ticket = browser.get(PATIENT_URL)["Location"].partition("t=")[2]
    with clinic_context("bondi"):
        _, url = invitations.invite("new@clinic.example", "reception")
    answers = {"name": "New", "password1": "a longer horse 43", "password2": "a longer horse 43", "t": ticket}
    landed = browser.post(url.removeprefix("http://bondi.localhost:8000"), answers)["Location"]
    assert landed == PATIENT_URL
    ticket = browser.get(landed)["Location"].partition("t=")[2]
    set_up_app(browser, t=ticket)
    assert browser.get(f"/login?t={ticket}")["Location"] == PATIENT_URL
    assert browser.get(PATIENT_URL).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 302),
        ("GET", "/settings/security", 302),
        ("POST", "/settings/security", 302),
        ("GET", "/password/change/", 302),
        ("POST", "/search", 302),
        ("GET", "/account/", 200),
        ("GET", "/account/app", 200),
        ("GET", "/account/passkeys/add", 200),
        ("POST", "/account/passkeys/ask", 200),
        ("GET", "/account/confirm", 200),
        ("GET", "/session", 200),
        ("GET", "/logout", 200),
        ("GET", "/healthz", 200),
        ("POST", "/logout", 302),
    ],
)
def test_then_only_the_set_up_and_sign_out_are_accessible(sign_in: SignIn, method: str, path: str, status: int) -> None:
    browser = sign_in("bondi", "owner")
    require_second_factor()
    answer = browser.generic(method, path)
    assert answer.status_code == status
    if status == 302 and path != "/logout":
        assert answer["Location"].startswith("/account/")


def test_a_fragment_redirects_its_page_to_the_set_up(sign_in: SignIn) -> None:
    browser = sign_in("bondi")
    require_second_factor()
    answer = browser.post("/search", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (403, "/account/")


@pytest.mark.parametrize("add_factor", [add_app, add_passkey])
def test_users_with_a_second_factor_notice_nothing(sign_in: SignIn, staff_member: Staff, add_factor: Any) -> None:
    browser = sign_in("bondi")
    add_factor("bondi", staff_member("bondi"))
    require_second_factor()
    assert browser.get(PATIENT_URL).status_code == 200


def test_recovery_codes_alone_are_no_second_factor(sign_in: SignIn, staff_member: Staff) -> None:
    browser = sign_in("bondi")
    add_recovery_codes("bondi", staff_member("bondi"))
    require_second_factor()
    assert browser.get(PATIENT_URL).status_code == 302


def test_another_clinic_does_not_require_it(sign_in: SignIn) -> None:
    require_second_factor("bondi")
    assert sign_in("harbour").get(PATIENT_URL).status_code == 200


# --- Resets ----------------------------------------------------------------------------------------------------------


def reset(browser: Client, user: User) -> Any:
    return browser.post(f"/settings/security/people/{user.pk}/reset")


def test_an_owner_resets_a_users_second_factor_and_the_user_is_emailed(sign_in: SignIn, staff_member: Staff) -> None:
    user_browser, user = sign_in("bondi"), staff_member("bondi")
    add_app("bondi", user)
    add_recovery_codes("bondi", user)
    owner = sign_in("bondi", "owner")
    assert reset(owner, user)["Location"] == "/settings/security"
    with clinic_context("bondi"):
        assert not Authenticator.objects.exists()
    assert user_browser.get(PATIENT_URL).status_code == 302
    assert owner.get(PATIENT_URL).status_code == 200
    (message,) = mail.outbox
    assert message.to == [user.email]
    assert message.subject == "Your two-step verification at Bondi Physio was reset"
    assert "Robin Owner has reset" in str(message.body)
    assert sign_in("bondi").get(PATIENT_URL).status_code == 200


@pytest.mark.parametrize("role", ["admin", "clinician", "readonly"])
def test_only_owners_reset_second_factors(sign_in: SignIn, staff_member: Staff, role: str) -> None:
    user = staff_member("bondi")
    add_app("bondi", user)
    assert reset(sign_in("bondi", role), user).status_code == 403
    with clinic_context("bondi"):
        assert Authenticator.objects.count() == 1


def test_an_owner_who_signed_in_long_ago_must_confirm_first(sign_in: SignIn, staff_member: Staff) -> None:
    owner, user = sign_in("bondi", "owner"), staff_member("bondi")
    add_app("bondi", user)
    expire_reauthentication(owner)
    page = "http://bondi.localhost/settings/security"
    asked = owner.post(f"/settings/security/people/{user.pk}/reset", headers={"Referer": page})["Location"]
    ticket = asked.partition("t=")[2]
    assert owner.post("/account/confirm", {"password": PASSWORD, "t": ticket})["Location"] == "/settings/security"
    with clinic_context("bondi"):
        assert Authenticator.objects.count() == 1


def test_a_reset_does_not_affect_another_clinic(sign_in: SignIn, staff_member: Staff) -> None:
    for label in ("bondi", "harbour"):
        add_app(label, staff_member(label))
    reset(sign_in("bondi", "owner"), staff_member("bondi"))
    with clinic_context("harbour"):
        assert Authenticator.objects.count() == 1


def test_the_owner_is_told_if_the_email_fails(
    sign_in: SignIn, staff_member: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError

    add_app("bondi", staff_member("bondi"))
    owner = sign_in("bondi", "owner")
    monkeypatch.setattr("django.core.mail.EmailMessage.send", fail)
    reset(owner, staff_member("bondi"))
    assert "couldn&#x27;t be sent" in text(owner.get("/settings/security"))
