"""Whatever one clinic hands out is worth nothing at the other, and trying it there harms nobody.

Both clinics know the same person by the same id, e-mail address, password and hash, and each has a patient 42.
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
def email(alike: dict[str, str]) -> str:
    return alike["reception"]


def text(answer: Any) -> str:
    found: str = answer.content.decode()
    return found


def token_in(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found
    return found[1]


def mailed_path() -> str:
    found = re.search(r"http://\w+\.localhost:8000(/\S+)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def password_form(browser: Client, path: str) -> tuple[str, str]:
    """Where the form behind a reset link is, and the page that it is on."""
    page = browser.get(path, follow=True)
    return str(page.request["PATH_INFO"]), text(page)


def test_the_two_are_alike_to_the_last_column(alike: dict[str, str]) -> None:
    rows = []
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            rows.append(list(User.objects.order_by("pk").values_list("pk", "email", "role", "password")))
    assert rows[0] == rows[1]
    assert len(rows[0]) == 5


def test_each_clinic_shows_its_own_patient_of_the_same_id(staff_client: Browsers) -> None:
    for label, mine, theirs in (("bondi", ADA, BO), ("harbour", BO, ADA)):
        browser = staff_client(label)
        pages = [text(browser.get(PATIENT)), text(browser.get("/")), text(browser.post("/search", {"text": "42"}))]
        assert all(mine in page and theirs not in page for page in pages)
        assert theirs not in text(browser.post("/search", {"text": theirs})).replace(f'value="{theirs}"', "")


def test_a_session_is_nothing_at_the_other_clinic(staff_client: Browsers, clinic_client: Browsers) -> None:
    at_bondi, at_harbour = staff_client("bondi"), clinic_client("harbour")
    for method, path in (("GET", PATIENT), ("POST", "/logout"), ("POST", "/password/change/"), ("GET", "/login")):
        at_harbour.cookies["sessionid"] = at_bondi.cookies["sessionid"].value
        answer = at_harbour.generic(method, path)
        assert ADA not in text(answer)
        assert BO not in text(answer)
        assert "_auth_user_id" not in at_harbour.session
    assert ADA in text(at_bondi.get(PATIENT))


def test_somebody_signed_in_at_both_leaves_one_clinic_only(staff_client: Browsers) -> None:
    at_bondi, at_harbour = staff_client("bondi"), staff_client("harbour")
    at_bondi.post("/logout")
    assert at_bondi.get(PATIENT).status_code == 302
    assert BO in text(at_harbour.get(PATIENT))


def test_a_new_password_at_one_clinic_changes_nothing_at_the_other(
    staff_client: Browsers, clinic_client: Browsers, email: str
) -> None:
    at_bondi, at_harbour = staff_client("bondi"), staff_client("harbour")
    changed = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert at_bondi.post("/password/change/", changed).status_code == 302
    assert BO in text(at_harbour.get(PATIENT))
    assert clinic_client("harbour").post("/login", {"login": email, "password": NEW}).status_code == 200
    assert clinic_client("harbour").post("/login", {"login": email, "password": PASSWORD})["Location"] == "/"


def test_a_ticket_leads_to_no_patient_of_the_other_clinic_and_stays_good(clinic_client: Browsers, email: str) -> None:
    ticket = clinic_client("bondi").get("/patients?patient_id=42")["Location"].partition("t=")[2]
    sign_in = {"login": email, "password": PASSWORD, "t": ticket}
    at_harbour = clinic_client("harbour")
    assert at_harbour.post("/login", sign_in)["Location"] == "/"
    assert at_harbour.get("/login", {"t": ticket})["Location"] == "/"
    at_bondi = clinic_client("bondi")
    assert ADA in text(at_bondi.get(at_bondi.post("/login", sign_in)["Location"]))


def test_a_reset_link_opens_nothing_at_the_other_clinic_and_stays_good(
    clinic_client: Browsers, staff_client: Browsers, email: str
) -> None:
    at_bondi, at_harbour = staff_client("bondi"), staff_client("harbour")
    clinic_client("bondi").post("/password/reset/", {"email": email})
    where, page = password_form(at_harbour, mailed_path())
    assert "no longer valid" in page
    at_harbour.post(where, {"password1": NEW, "password2": NEW})
    assert clinic_client("harbour").post("/login", {"login": email, "password": NEW}).status_code == 200
    assert BO in text(at_harbour.get(PATIENT))
    assert ADA in text(at_bondi.get(PATIENT))
    browser = clinic_client("bondi")
    where, _ = password_form(browser, mailed_path())
    assert browser.post(where, {"password1": NEW, "password2": NEW})["Location"] == "/password/reset/key/done/"


def test_a_reset_begun_at_one_clinic_is_not_ended_at_the_other(clinic_client: Browsers, email: str) -> None:
    """allauth keeps the key in the session between the link and the form: also in a copied session cookie."""
    clinic_client("bondi").post("/password/reset/", {"email": email})
    browser = clinic_client("bondi")
    where, _ = password_form(browser, mailed_path())
    at_harbour = clinic_client("harbour")
    at_harbour.cookies["sessionid"] = browser.cookies["sessionid"].value
    assert "no longer valid" in text(at_harbour.post(where, {"password1": NEW, "password2": NEW}))
    assert clinic_client("harbour").post("/login", {"login": email, "password": NEW}).status_code == 200
    assert browser.post(where, {"password1": NEW, "password2": NEW})["Location"] == "/password/reset/key/done/"


def test_an_invitation_makes_nobody_at_the_other_clinic_and_stays_good(
    clinic_client: Browsers, staff_client: Browsers
) -> None:
    with clinic_context("bondi"):
        _, url = invitations.invite("new@clinic.example", "owner")
    path = url.removeprefix("http://bondi.localhost:8000")
    answers = {"name": "New", "password1": NEW, "password2": NEW}
    for at_harbour in (clinic_client("harbour"), staff_client("harbour")):
        assert at_harbour.get(path).status_code == 404
        assert at_harbour.post(path, answers).status_code == 404
    with clinic_context("harbour"):
        assert not User.objects.filter(email="new@clinic.example").exists()
        assert not Invitation.objects.exists()
    assert clinic_client("bondi").post(path, answers)["Location"] == "/welcome"


@pytest.mark.parametrize("with_its_cookie", [True, False])
def test_a_form_token_of_a_visitor_is_refused_at_the_other_clinic(
    csrf_client: Browsers, email: str, with_its_cookie: bool
) -> None:
    at_bondi, at_harbour = csrf_client("bondi"), csrf_client("harbour")
    token = token_in(text(at_bondi.get("/login")))
    at_harbour.get("/login")
    if with_its_cookie:
        at_harbour.cookies["sessionid"] = at_bondi.cookies["sessionid"].value
    sign_in = {"login": email, "password": PASSWORD, "csrfmiddlewaretoken": token}
    assert at_harbour.post("/login", sign_in)["Location"] == "/login"
    assert "_auth_user_id" not in at_harbour.session
    assert at_bondi.post("/login", sign_in)["Location"] == "/"


@pytest.mark.parametrize("with_its_cookie", [True, False])
def test_a_form_token_of_staff_is_refused_at_the_other_clinic(
    staff_client: Browsers, csrf_client: Browsers, with_its_cookie: bool
) -> None:
    cookies = {label: staff_client(label, "owner").cookies["sessionid"].value for label in ("bondi", "harbour")}
    at_bondi, at_harbour = csrf_client("bondi"), csrf_client("harbour")
    at_bondi.cookies["sessionid"] = cookies["bondi"]
    form = {"email": "new@clinic.example", "role": "owner"}
    form["csrfmiddlewaretoken"] = token_in(text(at_bondi.get("/settings/staff/")))
    at_harbour.cookies["sessionid"] = cookies["bondi" if with_its_cookie else "harbour"]
    assert at_harbour.post("/settings/staff/invite", form).status_code == 403
    with clinic_context("harbour"):
        assert not Invitation.objects.exists()
    assert at_bondi.post("/settings/staff/invite", form).status_code == 302
    at_harbour.cookies["sessionid"] = cookies["harbour"]
    assert BO in text(at_harbour.get(PATIENT))


def test_asking_too_often_at_one_clinic_leaves_the_other_alone(clinic_client: Browsers, email: str) -> None:
    at_bondi, at_harbour = clinic_client("bondi"), clinic_client("harbour")
    asked = [at_bondi.post("/password/reset/", {"email": email}).status_code for _ in range(8)]
    assert asked == [302] * 5 + [429] * 3
    assert at_harbour.post("/password/reset/", {"email": email}).status_code == 302


def test_guessing_at_one_clinic_leaves_the_other_alone(clinic_client: Browsers, email: str) -> None:
    at_bondi, at_harbour = clinic_client("bondi"), clinic_client("harbour")
    for _ in range(7):
        guessed = at_bondi.post("/login", {"login": email, "password": "wrong"})
    assert "Too many attempts" in text(guessed)
    assert at_bondi.post("/login", {"login": email, "password": PASSWORD}).status_code == 200
    assert at_harbour.post("/login", {"login": email, "password": PASSWORD})["Location"] == "/"
