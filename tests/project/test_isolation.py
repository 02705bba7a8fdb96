"""Sessions, tickets, links and tokens of one clinic are invalid at another, and trying them there has no effect.

Both clinics have the same user ids, emails and password hashes, and each has a patient 42.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from accounts import invitations
from accounts.models import Invitation, User
from tenants.context import clinic_context
from tests.conftest import PASSWORD
from tests.project.conftest import ADA, BO

PATIENT = "/patients/42/"
NEW = "a longer horse 43"
Browsers = Callable[..., Client]


@pytest.fixture
def email(same_staff: dict[str, str]) -> str:
    return same_staff["reception"]


def text(response: Any) -> str:
    found: str = response.content.decode()
    return found


def token_in(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found
    return found[1]


def emailed_path() -> str:
    found = re.search(r"http://\w+\.localhost:8000(/\S+)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def password_form(browser: Client, path: str) -> tuple[str, str]:
    """Return the path of the form behind a reset link, and its page."""
    page = browser.get(path, follow=True)
    return str(page.request["PATH_INFO"]), text(page)


def test_both_clinics_have_the_same_users(same_staff: dict[str, str]) -> None:
    rows = []
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            rows.append(list(User.objects.order_by("pk").values_list("pk", "email", "role", "password")))
    assert rows[0] == rows[1]
    assert len(rows[0]) == 5


def test_each_clinic_shows_its_own_patient_of_the_same_id(staff_client: Browsers) -> None:
    for label, own, other in (("bondi", ADA, BO), ("harbour", BO, ADA)):
        browser = staff_client(label)
        pages = [text(browser.get(PATIENT)), text(browser.get("/")), text(browser.post("/search", {"text": "42"}))]
        assert all(own in page and other not in page for page in pages)
        assert other not in text(browser.post("/search", {"text": other})).replace(f'value="{other}"', "")


def test_a_session_is_invalid_at_another_clinic(staff_client: Browsers, clinic_client: Browsers) -> None:
    at_bondi, at_harbour = staff_client("bondi"), clinic_client("harbour")
    for method, path in (("GET", PATIENT), ("POST", "/logout"), ("POST", "/password/change/"), ("GET", "/login")):
        at_harbour.cookies["sessionid"] = at_bondi.cookies["sessionid"].value
        response = at_harbour.generic(method, path)
        assert ADA not in text(response)
        assert BO not in text(response)
        assert "_auth_user_id" not in at_harbour.session
    assert ADA in text(at_bondi.get(PATIENT))


def test_sign_out_at_one_clinic_keeps_the_session_at_another(staff_client: Browsers) -> None:
    at_bondi, at_harbour = staff_client("bondi"), staff_client("harbour")
    at_bondi.post("/logout")
    assert at_bondi.get(PATIENT).status_code == 302
    assert BO in text(at_harbour.get(PATIENT))


def test_a_password_change_does_not_affect_another_clinic(
    staff_client: Browsers, clinic_client: Browsers, email: str
) -> None:
    at_bondi, at_harbour = staff_client("bondi"), staff_client("harbour")
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert at_bondi.post("/password/change/", form).status_code == 302
    assert BO in text(at_harbour.get(PATIENT))
    assert clinic_client("harbour").post("/login", {"login": email, "password": NEW}).status_code == 200
    assert clinic_client("harbour").post("/login", {"login": email, "password": PASSWORD})["Location"] == "/"


def test_a_ticket_is_invalid_at_another_clinic_and_stays_valid(clinic_client: Browsers, email: str) -> None:
    ticket = clinic_client("bondi").get("/patients?patient_id=42")["Location"].partition("t=")[2]
    sign_in = {"login": email, "password": PASSWORD, "t": ticket}
    at_harbour = clinic_client("harbour")
    assert at_harbour.post("/login", sign_in)["Location"] == "/"
    assert at_harbour.get("/login", {"t": ticket})["Location"] == "/"
    at_bondi = clinic_client("bondi")
    assert ADA in text(at_bondi.get(at_bondi.post("/login", sign_in)["Location"]))


def test_a_reset_link_is_invalid_at_another_clinic_and_stays_valid(
    clinic_client: Browsers, staff_client: Browsers, email: str
) -> None:
    at_bondi, at_harbour = staff_client("bondi"), staff_client("harbour")
    clinic_client("bondi").post("/password/reset/", {"email": email})
    where, page = password_form(at_harbour, emailed_path())
    assert "no longer valid" in page
    at_harbour.post(where, {"password1": NEW, "password2": NEW})
    assert clinic_client("harbour").post("/login", {"login": email, "password": NEW}).status_code == 200
    assert BO in text(at_harbour.get(PATIENT))
    assert ADA in text(at_bondi.get(PATIENT))
    browser = clinic_client("bondi")
    where, _ = password_form(browser, emailed_path())
    assert browser.post(where, {"password1": NEW, "password2": NEW})["Location"] == "/password/reset/key/done/"


def test_a_password_reset_cannot_be_finished_at_another_clinic(clinic_client: Browsers, email: str) -> None:
    """allauth keeps the key in the session between the link and the form, so copy the session cookie."""
    clinic_client("bondi").post("/password/reset/", {"email": email})
    browser = clinic_client("bondi")
    where, _ = password_form(browser, emailed_path())
    at_harbour = clinic_client("harbour")
    at_harbour.cookies["sessionid"] = browser.cookies["sessionid"].value
    assert "no longer valid" in text(at_harbour.post(where, {"password1": NEW, "password2": NEW}))
    assert clinic_client("harbour").post("/login", {"login": email, "password": NEW}).status_code == 200
    assert browser.post(where, {"password1": NEW, "password2": NEW})["Location"] == "/password/reset/key/done/"


def test_an_invitation_is_invalid_at_another_clinic_and_stays_valid(
    clinic_client: Browsers, staff_client: Browsers
) -> None:
    with clinic_context("bondi"):
        _, url = invitations.invite("new@clinic.example", "owner")
    path = url.removeprefix("http://bondi.localhost:8000")
    all_responses = {"name": "New", "password1": NEW, "password2": NEW}
    for at_harbour in (clinic_client("harbour"), staff_client("harbour")):
        assert at_harbour.get(path).status_code == 404
        assert at_harbour.post(path, all_responses).status_code == 404
    with clinic_context("harbour"):
        assert not User.objects.filter(email="new@clinic.example").exists()
        assert not Invitation.objects.exists()
    assert clinic_client("bondi").post(path, all_responses)["Location"] == "/welcome"


@pytest.mark.parametrize("with_cookie", [True, False])
def test_a_visitors_csrf_token_is_refused_at_another_clinic(
    csrf_client: Browsers, email: str, with_cookie: bool
) -> None:
    at_bondi, at_harbour = csrf_client("bondi"), csrf_client("harbour")
    token = token_in(text(at_bondi.get("/login")))
    at_harbour.get("/login")
    if with_cookie:
        at_harbour.cookies["sessionid"] = at_bondi.cookies["sessionid"].value
    sign_in = {"login": email, "password": PASSWORD, "csrfmiddlewaretoken": token}
    assert at_harbour.post("/login", sign_in)["Location"] == "/login"
    assert "_auth_user_id" not in at_harbour.session
    assert at_bondi.post("/login", sign_in)["Location"] == "/"


@pytest.mark.parametrize("with_cookie", [True, False])
def test_a_staff_members_csrf_token_is_refused_at_another_clinic(
    staff_client: Browsers, csrf_client: Browsers, with_cookie: bool
) -> None:
    cookies = {label: staff_client(label, "owner").cookies["sessionid"].value for label in ("bondi", "harbour")}
    at_bondi, at_harbour = csrf_client("bondi"), csrf_client("harbour")
    at_bondi.cookies["sessionid"] = cookies["bondi"]
    form = {"email": "new@clinic.example", "role": "owner"}
    form["csrfmiddlewaretoken"] = token_in(text(at_bondi.get("/settings/staff/")))
    at_harbour.cookies["sessionid"] = cookies["bondi" if with_cookie else "harbour"]
    assert at_harbour.post("/settings/staff/invite", form).status_code == 403
    with clinic_context("harbour"):
        assert not Invitation.objects.exists()
    assert at_bondi.post("/settings/staff/invite", form).status_code == 302
    at_harbour.cookies["sessionid"] = cookies["harbour"]
    assert BO in text(at_harbour.get(PATIENT))


def test_reset_rate_limits_are_per_clinic(clinic_client: Browsers, email: str) -> None:
    at_bondi, at_harbour = clinic_client("bondi"), clinic_client("harbour")
    statuses = [at_bondi.post("/password/reset/", {"email": email}).status_code for _ in range(8)]
    assert statuses == [302] * 5 + [429] * 3
    assert at_harbour.post("/password/reset/", {"email": email}).status_code == 302


def test_sign_in_rate_limits_are_per_clinic(clinic_client: Browsers, email: str) -> None:
    at_bondi, at_harbour = clinic_client("bondi"), clinic_client("harbour")
    for _ in range(7):
        refused = at_bondi.post("/login", {"login": email, "password": "wrong"})
    assert "Too many attempts" in text(refused)
    assert at_bondi.post("/login", {"login": email, "password": PASSWORD}).status_code == 200
    assert at_harbour.post("/login", {"login": email, "password": PASSWORD})["Location"] == "/"
