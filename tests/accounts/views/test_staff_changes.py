"""Changing what somebody may do here: roles, suspending, letting in again, and the owner who stays."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts import invitations, staff
from accounts.models import Invitation, OpenSession, User
from accounts.roles import Role
from audit.log import AuditUnavailable
from audit.models import Event
from tenants.context import clinic_context
from tests.accounts.second_factors import passkey_options, totp_code, add_app, add_passkey
from tests.accounts.views.test_second_factors import expire_reauthentication
from tests.conftest import PASSWORD

SignIn = Callable[..., Client]
Staff = Callable[..., User]
OWNER = "owner@clinic.example"
SAM = "sam@clinic.example"


def change(browser: Client, person: User, what: str, role: str = "") -> str:
    """Ask for the change, and read the page that answers."""
    answer = browser.post(f"/settings/staff/{person.pk}/{what}", {"role": role} if role else {}, follow=True)
    return str(answer.content.decode())


def now(person: User, label: str = "bondi") -> tuple[str, bool]:
    with clinic_context(label):
        held = User.objects.get(pk=person.pk)
    return held.role, held.is_active


def logged(label: str = "bondi") -> list[tuple[str, str, dict[str, Any]]]:
    with clinic_context(label):
        return list(Event.objects.order_by("pk").values_list("user_email", "action", "details"))


def test_the_page_says_of_everybody_who_they_are_and_how_they_sign_in(sign_in: SignIn, staff_member: Staff) -> None:
    add_app("bondi", staff_member("bondi"))
    gone = staff_member("bondi", email=SAM)
    owner = sign_in("bondi", "owner")
    change(owner, gone, "suspend")
    page = owner.get("/settings/staff/").content.decode()
    assert page.count("chip--good") == 1
    assert page.count("Password only") == 2
    assert page.count("Last signed in") == 1
    assert page.count("Never signed in") == 2
    assert page.count(">Suspended</span>") == 1


def test_an_owner_changes_somebodys_role(sign_in: SignIn, staff_member: Staff) -> None:
    person, twin = staff_member("bondi"), staff_member("harbour")
    assert "is Admin now" in change(sign_in("bondi", "owner"), person, "role", "admin")
    assert now(person) == ("admin", True)
    assert now(twin, "harbour") == ("reception", True)


def test_a_new_role_counts_on_the_next_request(sign_in: SignIn, staff_member: Staff) -> None:
    browser = sign_in("bondi", "admin")
    change(sign_in("bondi", "owner"), staff_member("bondi", "admin"), "role", "readonly")
    assert browser.get("/settings/staff/").status_code == 403


def test_whoever_is_suspended_is_refused_on_their_next_request_and_at_sign_in(
    sign_in: SignIn, staff_member: Staff, clinic_client: Callable[[str], Client]
) -> None:
    browser, twins_browser = sign_in("bondi"), sign_in("harbour")
    person = staff_member("bondi")
    assert browser.get("/patients/42/").status_code == 200
    assert "suspended and signed out" in change(sign_in("bondi", "owner"), person, "suspend")
    assert browser.get("/patients/42/")["Location"].startswith("/login")
    again = clinic_client("bondi").post("/login", {"login": person.email, "password": PASSWORD})
    assert again["Location"] == "/inactive/"
    with clinic_context("bondi"):
        assert not OpenSession.objects.filter(user=person).exists()
    assert twins_browser.get("/patients/42/").status_code == 200


def test_neither_a_passkey_nor_a_second_step_under_way_lets_a_suspended_person_in(
    sign_in: SignIn, staff_member: Staff, clinic_client: Callable[[str], Client]
) -> None:
    person, by_passkey, at_the_step = staff_member("bondi"), clinic_client("bondi"), clinic_client("bondi")
    device = add_passkey("bondi", person)
    add_app("bondi", person)
    at_the_step.post("/login", {"login": person.email, "password": PASSWORD})
    change(sign_in("bondi", "owner"), person, "suspend")
    by_passkey.post("/login/passkey", {"credential": device.get(passkey_options(by_passkey, "/login/passkey/ask"))})
    at_the_step.post("/login/second-step", {"code": totp_code()})
    for browser in (by_passkey, at_the_step):
        assert browser.get("/patients/42/")["Location"].startswith("/login")


def test_whoever_is_let_in_again_signs_in_anew(sign_in: SignIn, staff_member: Staff) -> None:
    browser, person, owner = sign_in("bondi"), staff_member("bondi"), sign_in("bondi", "owner")
    change(owner, person, "suspend")
    assert "can sign in again" in change(owner, person, "reinstate")
    assert browser.get("/patients/42/")["Location"].startswith("/login")
    assert sign_in("bondi").get("/patients/42/").status_code == 200


def test_an_admin_changes_everybody_but_owners(sign_in: SignIn, staff_member: Staff) -> None:
    admin = sign_in("bondi", "admin")
    owner, other, person = staff_member("bondi", "owner"), staff_member("bondi", "admin", SAM), staff_member("bondi")
    for what, role in (("role", "reception"), ("suspend", ""), ("reinstate", "")):
        assert "Your role cannot" in change(admin, owner, what, role)
    assert "Your role cannot make" in change(admin, person, "role", "owner")
    assert now(owner) == ("owner", True)
    assert now(person) == ("reception", True)
    assert "is Clinician now" in change(admin, other, "role", "clinician")
    assert "is suspended" in change(admin, other, "suspend")
    assert f"/settings/staff/{owner.pk}/" not in admin.get("/settings/staff/").content.decode()


def test_an_admin_lets_no_owner_in_again(sign_in: SignIn, staff_member: Staff) -> None:
    gone = staff_member("bondi", "owner", SAM)
    change(sign_in("bondi", "owner"), gone, "suspend")
    change(sign_in("bondi", "admin"), gone, "reinstate")
    assert now(gone) == ("owner", False)


@pytest.mark.parametrize(("role", "to"), [("admin", "owner"), ("admin", "readonly"), ("owner", "")])
def test_nobody_changes_their_own_role_or_suspends_themself(
    sign_in: SignIn, staff_member: Staff, role: str, to: str
) -> None:
    person = staff_member("bondi", role)
    staff_member("bondi", "owner", SAM)
    assert "Your role cannot" in change(sign_in("bondi", role), person, "role" if to else "suspend", to)
    assert now(person) == (role, True)


def test_an_owner_steps_down_while_another_one_is_there(sign_in: SignIn, staff_member: Staff) -> None:
    owner, other = staff_member("bondi", "owner"), staff_member("bondi", "owner", SAM)
    answer = sign_in("bondi", "owner").post(f"/settings/staff/{owner.pk}/role", {"role": "clinician"})
    assert answer["Location"] == "/"
    assert (now(owner), now(other)) == (("clinician", True), ("owner", True))


def test_the_last_owner_who_can_sign_in_stays(sign_in: SignIn, staff_member: Staff) -> None:
    owner, gone = staff_member("bondi", "owner"), staff_member("bondi", "owner", SAM)
    staff_member("harbour", "owner", SAM)
    browser = sign_in("bondi", "owner")
    change(browser, gone, "suspend")
    assert "only owner who can sign in" in change(browser, owner, "role", "admin")
    assert now(owner) == ("owner", True)


def test_a_role_that_is_none_is_refused(sign_in: SignIn, staff_member: Staff) -> None:
    person = staff_member("bondi")
    path = f"/settings/staff/{person.pk}/role"
    assert sign_in("bondi", "owner").post(path, {"role": "boss"}).status_code == 400
    assert now(person) == ("reception", True)


def test_each_change_of_staff_is_one_line_of_the_log(
    sign_in: SignIn, staff_member: Staff, clinic_client: Callable[[str], Client]
) -> None:
    owner, person = sign_in("bondi", "owner"), staff_member("bondi")
    for what, role in (("role", "admin"), ("role", "admin"), ("suspend", ""), ("suspend", ""), ("reinstate", "")):
        change(owner, person, what, role)  # what is so already changes nothing
    owner.post("/settings/staff/invite", {"email": SAM, "role": "clinician"})
    with clinic_context("bondi"):
        held = invitations.pending().get()
    for _ in range(2):
        owner.post(f"/settings/staff/invitations/{held.pk}/revoke")
    with clinic_context("bondi"):
        _, url = invitations.invite(SAM, Role.READONLY)
    answers = {"name": "Sam Okafor", "password1": "a longer horse 43", "password2": "a longer horse 43"}
    clinic_client("bondi").post(url.removeprefix("http://bondi.localhost:8000"), answers)
    assert logged() == [
        (OWNER, "role_changed", {"whom": person.email, "role": "admin"}),
        (OWNER, "suspended", {"whom": person.email, "role": "admin"}),
        (OWNER, "reinstated", {"whom": person.email, "role": "admin"}),
        (OWNER, "invited", {"whom": SAM, "role": "clinician"}),
        (OWNER, "invitation_revoked", {"whom": SAM, "role": "clinician"}),
        ("ops", "invited", {"whom": SAM, "role": "readonly"}),
        (SAM, "joined", {"role": "readonly"}),
    ]
    assert logged("harbour") == []


def test_what_cannot_be_logged_does_not_happen(
    sign_in: SignIn, staff_member: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AuditUnavailable

    browser, person = sign_in("bondi", "owner"), staff_member("bondi")
    theirs = sign_in("bondi")
    monkeypatch.setattr(staff, "record", fail)
    monkeypatch.setattr(invitations, "record", fail)
    assert browser.post(f"/settings/staff/{person.pk}/role", {"role": "admin"}).status_code == 503
    assert browser.post(f"/settings/staff/{person.pk}/suspend").status_code == 503
    assert browser.post("/settings/staff/invite", {"email": SAM, "role": "admin"}).status_code == 503
    assert now(person) == ("reception", True)
    assert theirs.get("/patients/42/").status_code == 200
    with clinic_context("bondi"):
        assert not invitations.pending().exists()


def test_whoever_makes_somebody_an_owner_shows_first_that_it_is_them(sign_in: SignIn, staff_member: Staff) -> None:
    owner, person = sign_in("bondi", "owner"), staff_member("bondi")
    expire_reauthentication(owner)
    page = {"Referer": "http://bondi.localhost/settings/staff/"}
    invited = {"email": "new@clinic.example", "role": "owner"}
    for path, form in ((f"/settings/staff/{person.pk}/role", {"role": "owner"}), ("/settings/staff/invite", invited)):
        asked = owner.post(path, form, headers=page)["Location"]
        assert asked.startswith("/account/confirm?t=")
    assert now(person) == ("reception", True)
    with clinic_context("bondi"):
        assert not Invitation.objects.exists()
    assert "is Admin now" in change(owner, person, "role", "admin")
    ticket = asked.partition("t=")[2]
    assert owner.post("/account/confirm", {"password": PASSWORD, "t": ticket})["Location"] == "/settings/staff/"
    assert "is Owner now" in change(owner, person, "role", "owner")
    assert owner.post("/settings/staff/invite", invited)["Location"] == "/settings/staff/"
