"""Cliniko's users on the staff page: who can be invited, and who has left but can still sign in."""

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from accounts import invitations
from accounts.models import User
from launch.messages import USERS_NOT_READ, USERS_UNREACHABLE
from sync.cliniko_users import ClinikoUser, ClinikoUsers
from sync.refresh import Outcome
from tenants.context import clinic_context

SignIn = Callable[..., Client]
Staff = Callable[..., User]
PEOPLE = "/settings/staff/from-cliniko"
INVITE = f"{PEOPLE}/invite"
KIM, LEE, SAM = "kim@clinic.example", "lee@clinic.example", "sam@clinic.example"


@pytest.fixture
def cliniko_has(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`cliniko_has(kim=True, lee=False)`: set Cliniko's users by first name, active or not."""

    def has(outcome: Outcome = Outcome.FRESH, **users: bool) -> None:
        listed = (
            ClinikoUser(f"{name.title()} Vale", f"{name}@clinic.example", "receptionist", active)
            for name, active in users.items()
        )
        response = ClinikoUsers(outcome, tuple(listed))
        monkeypatch.setattr("launch.cliniko_people.cliniko_users", lambda: response)

    return has


def text(response: Any) -> str:
    return str(response.content.decode())


def test_active_users_without_an_account_can_be_ticked(
    force_login: SignIn, staff_member: Staff, cliniko_has: Callable[..., None]
) -> None:
    cliniko_has(kim=True, lee=True, sam=True, ann=False)
    staff_member("bondi", email=LEE)
    staff_member("harbour", email=KIM)
    with clinic_context("bondi"):
        invitations.invite(SAM, "reception")
    page = text(force_login("bondi", "owner").get(PEOPLE))
    assert f'value="{KIM}"' in page
    assert page.count('type="checkbox"') == 1
    assert "Inactive in Cliniko" not in page


def test_a_leaver_has_a_button_to_suspend_them(
    force_login: SignIn, staff_member: Staff, cliniko_has: Callable[..., None]
) -> None:
    cliniko_has(kim=False, lee=False)
    kim, owner = staff_member("bondi", email=KIM), force_login("bondi", "owner")
    staff_member("harbour", email=LEE)
    page = text(owner.get(PEOPLE))
    assert "Inactive in Cliniko" in page
    assert f'action="/settings/staff/{kim.pk}/suspend"' in page
    assert LEE not in page
    assert "1 person is inactive in Cliniko" in text(owner.get(PEOPLE, headers={"HX-Request": "true"}))
    owner.post(f"/settings/staff/{kim.pk}/suspend")
    assert KIM not in text(owner.get(PEOPLE))


def test_an_admin_sees_an_owner_who_left_but_cannot_suspend_them(
    force_login: SignIn, staff_member: Staff, cliniko_has: Callable[..., None]
) -> None:
    cliniko_has(kim=False)
    staff_member("bondi", "owner", KIM)
    page = text(force_login("bondi", "admin").get(PEOPLE))
    assert KIM in page
    assert "/suspend" not in page
    assert 'value="owner"' not in page


def test_a_person_with_another_active_user_has_not_left(
    force_login: SignIn, staff_member: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff_member("bondi", email=KIM)
    both = tuple(ClinikoUser("Kim Vale", KIM, "receptionist", active) for active in (True, False))
    monkeypatch.setattr("launch.cliniko_people.cliniko_users", lambda: ClinikoUsers(Outcome.FRESH, both))
    assert "Every active Cliniko user has an account here" in text(force_login("bondi", "owner").get(PEOPLE))


def test_everyone_ticked_is_invited_with_the_role(force_login: SignIn) -> None:
    owner = force_login("bondi", "owner")
    page = text(owner.post(INVITE, {"email": [KIM, LEE], "role": "clinician"}, follow=True))
    assert "2 invitations sent." in page
    assert sorted(message.to[0] for message in mail.outbox) == [KIM, LEE]
    with clinic_context("bondi"):
        assert set(invitations.pending().values_list("email", "role")) == {(KIM, "clinician"), (LEE, "clinician")}
    with clinic_context("harbour"):
        assert not invitations.pending().exists()


def test_an_admin_cannot_invite_an_owner(force_login: SignIn) -> None:
    page = text(force_login("bondi", "admin").post(INVITE, {"email": KIM, "role": "owner"}, follow=True))
    assert "can&#x27;t be invited" in page
    assert mail.outbox == []


def test_one_failed_invitation_does_not_stop_the_others(
    force_login: SignIn, staff_member: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff_member("bondi", email=LEE)
    owner = force_login("bondi", "owner")
    page = text(owner.post(INVITE, {"email": ["no address", LEE, KIM], "role": "reception"}, follow=True))
    assert "no address can&#x27;t be invited" in page
    assert f"{LEE} already has an account" in page
    assert "1 invitation sent." in page
    monkeypatch.setattr("accounts.emails.send_invitation", lambda *_: (_ for _ in ()).throw(OSError))
    page = text(owner.post(INVITE, {"email": SAM, "role": "reception"}, follow=True))
    assert f"The email to {SAM} couldn&#x27;t be sent" in page
    assert "Tick the people to invite." in text(owner.post(INVITE, {"role": "reception"}, follow=True))


def test_at_most_twenty_are_invited_at_once(force_login: SignIn) -> None:
    many = [f"person{number}@clinic.example" for number in range(21)]
    page = text(force_login("bondi", "owner").post(INVITE, {"email": many, "role": "readonly"}, follow=True))
    assert "20 invitations sent." in page
    assert "Tick the others again" in page
    assert len(mail.outbox) == 20


@pytest.mark.parametrize("outcome", [*USERS_NOT_READ, Outcome.UNREACHABLE])
def test_the_reason_why_users_could_not_be_read_is_shown(
    force_login: SignIn, cliniko_has: Callable[..., None], outcome: Outcome
) -> None:
    cliniko_has(outcome)
    response = force_login("bondi", "owner").get(PEOPLE)
    assert response.status_code == 200
    assert USERS_NOT_READ.get(outcome, USERS_UNREACHABLE) in unescape(text(response))
    assert "Every active Cliniko user" not in text(response)


def test_the_staff_page_loads_this_part_afterwards(force_login: SignIn) -> None:
    owner = force_login("bondi", "owner")
    assert f'hx-get="{PEOPLE}"' in text(owner.get("/settings/staff/"))
    part = text(owner.get(PEOPLE, headers={"HX-Request": "true"}))
    assert "<html" not in part
    assert USERS_NOT_READ[Outcome.NO_KEY] in unescape(part)
