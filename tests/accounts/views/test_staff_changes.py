"""Changing roles, suspending and reinstating staff, and the last owner."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts import invitations, staff
from accounts.models import Invitation, OpenSession, User
from accounts.roles import Role
from tenants.context import clinic_context
from tests.accounts.conftest import audit_unavailable, logged
from tests.accounts.second_factors import add_app, add_passkey, passkey_options, totp_code
from tests.accounts.views.test_second_factors import expire_reauthentication
from tests.conftest import PASSWORD

SignIn = Callable[..., Client]
Staff = Callable[..., User]
OWNER = "owner@clinic.example"
SAM = "sam@clinic.example"


def change(browser: Client, person: User, what: str, role: str = "") -> str:
    """Post the change and return the page that follows."""
    answer = browser.post(f"/settings/staff/{person.pk}/{what}", {"role": role} if role else {}, follow=True)
    return str(answer.content.decode())


def role_and_state(person: User, label: str = "bondi") -> tuple[str, bool]:
    with clinic_context(label):
        user = User.objects.get(pk=person.pk)
    return user.role, user.is_active


def test_the_page_shows_everyones_state_and_sign_in(sign_in: SignIn, staff_member: Staff) -> None:
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


def test_an_owner_changes_a_role(sign_in: SignIn, staff_member: Staff) -> None:
    person, twin = staff_member("bondi"), staff_member("harbour")
    assert "is now Admin" in change(sign_in("bondi", "owner"), person, "role", "admin")
    assert role_and_state(person) == ("admin", True)
    assert role_and_state(twin, "harbour") == ("reception", True)


def test_a_new_role_applies_on_the_next_request(sign_in: SignIn, staff_member: Staff) -> None:
    browser = sign_in("bondi", "admin")
    change(sign_in("bondi", "owner"), staff_member("bondi", "admin"), "role", "readonly")
    assert browser.get("/settings/staff/").status_code == 403


def test_a_suspended_user_is_refused_on_their_next_request_and_at_sign_in(
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


def test_a_suspended_user_cannot_use_a_passkey_or_finish_a_started_sign_in(
    sign_in: SignIn, staff_member: Staff, clinic_client: Callable[[str], Client]
) -> None:
    person, by_passkey, after_password = staff_member("bondi"), clinic_client("bondi"), clinic_client("bondi")
    device = add_passkey("bondi", person)
    add_app("bondi", person)
    after_password.post("/login", {"login": person.email, "password": PASSWORD})
    change(sign_in("bondi", "owner"), person, "suspend")
    by_passkey.post("/login/passkey", {"credential": device.get(passkey_options(by_passkey, "/login/passkey/ask"))})
    after_password.post("/login/second-step", {"code": totp_code()})
    for browser in (by_passkey, after_password):
        assert browser.get("/patients/42/")["Location"].startswith("/login")


def test_a_reinstated_user_has_to_sign_in_again(sign_in: SignIn, staff_member: Staff) -> None:
    browser, person, owner = sign_in("bondi"), staff_member("bondi"), sign_in("bondi", "owner")
    change(owner, person, "suspend")
    assert "can sign in again" in change(owner, person, "reinstate")
    assert browser.get("/patients/42/")["Location"].startswith("/login")
    assert sign_in("bondi").get("/patients/42/").status_code == 200


def test_an_admin_can_change_everyone_but_owners(sign_in: SignIn, staff_member: Staff) -> None:
    admin = sign_in("bondi", "admin")
    owner, other, person = staff_member("bondi", "owner"), staff_member("bondi", "admin", SAM), staff_member("bondi")
    for what, role in (("role", "reception"), ("suspend", ""), ("reinstate", "")):
        assert "Your role can&#x27;t" in change(admin, owner, what, role)
    assert "Your role can&#x27;t make" in change(admin, person, "role", "owner")
    assert role_and_state(owner) == ("owner", True)
    assert role_and_state(person) == ("reception", True)
    assert "is now Clinician" in change(admin, other, "role", "clinician")
    assert "is suspended" in change(admin, other, "suspend")
    assert f"/settings/staff/{owner.pk}/" not in admin.get("/settings/staff/").content.decode()


def test_an_admin_cannot_reinstate_an_owner(sign_in: SignIn, staff_member: Staff) -> None:
    gone = staff_member("bondi", "owner", SAM)
    change(sign_in("bondi", "owner"), gone, "suspend")
    change(sign_in("bondi", "admin"), gone, "reinstate")
    assert role_and_state(gone) == ("owner", False)


@pytest.mark.parametrize(("role", "to"), [("admin", "owner"), ("admin", "readonly"), ("owner", "")])
def test_users_cannot_change_their_own_role_or_suspend_themselves(
    sign_in: SignIn, staff_member: Staff, role: str, to: str
) -> None:
    person = staff_member("bondi", role)
    staff_member("bondi", "owner", SAM)
    assert "Your role can&#x27;t" in change(sign_in("bondi", role), person, "role" if to else "suspend", to)
    assert role_and_state(person) == (role, True)


def test_an_owner_can_step_down_while_there_is_another(sign_in: SignIn, staff_member: Staff) -> None:
    owner, other = staff_member("bondi", "owner"), staff_member("bondi", "owner", SAM)
    answer = sign_in("bondi", "owner").post(f"/settings/staff/{owner.pk}/role", {"role": "clinician"})
    assert answer["Location"] == "/"
    assert (role_and_state(owner), role_and_state(other)) == (("clinician", True), ("owner", True))


def test_the_last_owner_who_can_sign_in_cannot_step_down(sign_in: SignIn, staff_member: Staff) -> None:
    owner, gone = staff_member("bondi", "owner"), staff_member("bondi", "owner", SAM)
    staff_member("harbour", "owner", SAM)
    browser = sign_in("bondi", "owner")
    change(browser, gone, "suspend")
    assert "only owner who can sign in" in change(browser, owner, "role", "admin")
    assert role_and_state(owner) == ("owner", True)


def test_an_unknown_role_is_refused(sign_in: SignIn, staff_member: Staff) -> None:
    person = staff_member("bondi")
    path = f"/settings/staff/{person.pk}/role"
    assert sign_in("bondi", "owner").post(path, {"role": "boss"}).status_code == 400
    assert role_and_state(person) == ("reception", True)


def test_each_staff_change_is_one_audit_event(
    sign_in: SignIn, staff_member: Staff, clinic_client: Callable[[str], Client]
) -> None:
    owner, person = sign_in("bondi", "owner"), staff_member("bondi")
    for what, role in (("role", "admin"), ("role", "admin"), ("suspend", ""), ("suspend", ""), ("reinstate", "")):
        change(owner, person, what, role)  # repeating a change does nothing
    owner.post("/settings/staff/invite", {"email": SAM, "role": "clinician"})
    with clinic_context("bondi"):
        invitation = invitations.pending().get()
    for _ in range(2):
        owner.post(f"/settings/staff/invitations/{invitation.pk}/revoke")
    with clinic_context("bondi"):
        _, url = invitations.invite(SAM, Role.READONLY)
    answers = {"name": "Sam Okafor", "password1": "a longer horse 43", "password2": "a longer horse 43"}
    clinic_client("bondi").post(url.removeprefix("http://bondi.localhost:8000"), answers)
    assert logged() == [
        (OWNER, "role_changed", {"person": person.email, "role": "admin"}),
        (OWNER, "suspended", {"person": person.email, "role": "admin"}),
        (OWNER, "reinstated", {"person": person.email, "role": "admin"}),
        (OWNER, "invited", {"person": SAM, "role": "clinician"}),
        (OWNER, "invitation_revoked", {"person": SAM, "role": "clinician"}),
        ("ops", "invited", {"person": SAM, "role": "readonly"}),
        (SAM, "joined", {"role": "readonly"}),
    ]
    assert logged("harbour") == []


def test_a_change_that_cannot_be_logged_is_rolled_back(
    sign_in: SignIn, staff_member: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, person = sign_in("bondi", "owner"), staff_member("bondi")
    person_browser = sign_in("bondi")
    monkeypatch.setattr(staff, "record", audit_unavailable)
    monkeypatch.setattr(invitations, "record", audit_unavailable)
    assert browser.post(f"/settings/staff/{person.pk}/role", {"role": "admin"}).status_code == 503
    assert browser.post(f"/settings/staff/{person.pk}/suspend").status_code == 503
    assert browser.post("/settings/staff/invite", {"email": SAM, "role": "admin"}).status_code == 503
    assert role_and_state(person) == ("reception", True)
    assert person_browser.get("/patients/42/").status_code == 200
    with clinic_context("bondi"):
        assert not invitations.pending().exists()


def test_making_someone_an_owner_needs_a_recent_sign_in(sign_in: SignIn, staff_member: Staff) -> None:
    owner, person = sign_in("bondi", "owner"), staff_member("bondi")
    expire_reauthentication(owner)
    page = {"Referer": "http://bondi.localhost/settings/staff/"}
    invited = {"email": "new@clinic.example", "role": "owner"}
    for path, form in ((f"/settings/staff/{person.pk}/role", {"role": "owner"}), ("/settings/staff/invite", invited)):
        asked = owner.post(path, form, headers=page)["Location"]
        assert asked.startswith("/account/confirm?t=")
    assert role_and_state(person) == ("reception", True)
    with clinic_context("bondi"):
        assert not Invitation.objects.exists()
    assert "is now Admin" in change(owner, person, "role", "admin")
    ticket = asked.partition("t=")[2]
    assert owner.post("/account/confirm", {"password": PASSWORD, "t": ticket})["Location"] == "/settings/staff/"
    assert "is now Owner" in change(owner, person, "role", "owner")
    assert owner.post("/settings/staff/invite", invited)["Location"] == "/settings/staff/"
