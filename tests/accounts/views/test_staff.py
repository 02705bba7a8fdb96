"""The staff page, and what each role may do."""

from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils.html import escape

from accounts import invitations
from accounts.models import Invitation, User
from accounts.roles import PERMISSIONS, PERMISSION_LABELS, Permission, Role, may
from tenants.context import clinic_context

EMAIL = "sam@clinic.example"
MANAGERS = {Role.OWNER, Role.ADMIN}


WRITERS = MANAGERS | {Role.CLINICIAN, Role.RECEPTION}
WHO_MAY = {
    Permission.VIEW_PATIENTS: set(Role),
    Permission.WRITE_NOTES: WRITERS,
    Permission.MANAGE_STAFF: MANAGERS,
    Permission.VIEW_SETTINGS: MANAGERS,
    Permission.MANAGE_KEY: MANAGERS,
    Permission.VIEW_LOG: MANAGERS,
    Permission.EXPORT_PATIENTS: MANAGERS,
    Permission.MANAGE_SECURITY: MANAGERS,
    Permission.MANAGE_OWNERS: {Role.OWNER},
    Permission.RESET_SECOND_FACTOR: {Role.OWNER},
    Permission.EXPORT_CLINIC: {Role.OWNER},
    Permission.MANAGE_PRIVACY: {Role.OWNER},
}


def test_the_table_names_every_permission():
    assert set(WHO_MAY) == set(Permission)


@pytest.mark.parametrize("role", Role)
def test_each_role_may_what_the_table_says(role):
    user = User(role=role)
    assert {permission: may(user, permission) for permission in Permission} == {
        permission: role in who for permission, who in WHO_MAY.items()
    }


def test_visitors_and_closed_accounts_may_nothing():
    for user in (AnonymousUser(), User(role=Role.OWNER, is_active=False), User(role="boss"), None):
        assert not any(may(user, permission) for permission in Permission)


def test_roles_are_shown_in_words():
    assert Role.labels == ["Owner", "Admin", "Clinician", "Reception", "Read-only"]


def test_the_page_and_the_handbook_say_of_every_permission_which_roles_hold_it(sign_in):
    page = sign_in("bondi", Role.ADMIN).get("/settings/staff/").content.decode()
    handbook = Path("docs/clinics.md").read_text()
    assert set(PERMISSION_LABELS) == set(Permission)
    for permission, sentence in PERMISSION_LABELS.items():
        held = [permission in PERMISSIONS[role] for role in Role]
        row = page.partition(f'<th scope="row">{escape(sentence)}</th>')[2].partition("</tr>")[0]
        assert [("yes</span>" in cell) for cell in row.split("</td>")[:-1]] == held
        assert f"| {sentence} | {' | '.join('yes' if each else '' for each in held)} |".replace("  ", " ") in handbook


@pytest.mark.parametrize("role", Role)
def test_the_doors_hold_for_each_role(sign_in, role):
    browser = sign_in("bondi", role)
    allowed = role in MANAGERS
    assert browser.get("/patients/42/").status_code == 200
    assert browser.get("/settings/key/").status_code == (200 if allowed else 403)
    assert browser.get("/settings/staff/").status_code == (200 if allowed else 403)
    assert browser.post("/settings/staff/invite", {}).status_code == (422 if allowed else 403)
    assert browser.post("/settings/staff/invitations/1/revoke").status_code == (302 if allowed else 403)
    assert browser.post("/settings/staff/invitations/1/resend").status_code == (302 if allowed else 403)
    assert browser.post("/settings/staff/0/role", {"role": "owner"}).status_code == (404 if allowed else 403)
    for change in ("suspend", "reinstate"):
        assert browser.post(f"/settings/staff/0/{change}").status_code == (404 if allowed else 403)
    assert browser.get("/settings/staff/invite").status_code == 405


def test_the_page_lists_this_clinics_people_and_invitations_only(sign_in, staff_member):
    staff_member("harbour", email="kim@harbour.example")
    with clinic_context("harbour"):
        invitations.invite("lee@harbour.example", "reception")
    with clinic_context("bondi"):
        invitations.invite(EMAIL, "reception")
    page = sign_in("bondi", Role.OWNER).get("/settings/staff/").content.decode()
    assert "owner@clinic.example" in page
    assert EMAIL in page
    assert "harbour.example" not in page


def test_an_owner_invites_somebody_by_mail(sign_in):
    browser = sign_in("bondi", Role.OWNER)
    answer = browser.post("/settings/staff/invite", {"email": f" {EMAIL.upper()}", "role": "owner"}, follow=True)
    assert f"on its way to {EMAIL}" in answer.content.decode()
    assert mail.outbox[0].to == [EMAIL]
    with clinic_context("bondi"):
        invitation = Invitation.objects.get()
        assert invitation.invited_by is not None
        assert (invitation.invited_by.role, invitation.role) == ("owner", "owner")


def test_an_admin_makes_no_owner(sign_in, staff_member):
    answer = sign_in("bondi", Role.ADMIN).post("/settings/staff/invite", {"email": EMAIL, "role": "owner"})
    assert answer.status_code == 422
    with clinic_context("bondi"):
        admin = User.objects.get()
        with pytest.raises(invitations.RoleRefused, match="cannot invite somebody as Owner"):
            invitations.invite(EMAIL, "owner", admin)
        assert not Invitation.objects.exists()
    assert mail.outbox == []


def test_whoever_is_here_already_is_not_invited_again(sign_in):
    form = {"email": "owner@clinic.example", "role": "reception"}
    answer = sign_in("bondi", Role.OWNER).post("/settings/staff/invite", form)
    assert answer.status_code == 422
    assert "already has an account" in answer.content.decode()


def test_when_mail_fails_the_link_is_shown_once(sign_in, settings, clinic_client):
    browser = sign_in("bondi", Role.OWNER)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    page = browser.post("/settings/staff/invite", {"email": EMAIL, "role": "reception"}).content.decode()
    assert "http://bondi.localhost:8000/invite/" in page
    assert "/invite/" not in browser.get("/settings/staff/").content.decode().replace("staff/invite", "")


def test_an_invitation_is_taken_back(sign_in, clinic_client):
    with clinic_context("bondi"):
        invitation, url = invitations.invite(EMAIL, "reception")
    browser = sign_in("bondi", Role.OWNER)
    path = f"/settings/staff/invitations/{invitation.pk}/revoke"
    assert "no longer works" in browser.post(path, follow=True).content.decode()
    assert "taken back before" in browser.post(path, follow=True).content.decode()
    assert clinic_client("bondi").get(url.removeprefix("http://bondi.localhost:8000")).status_code == 410


def test_an_invitation_is_sent_again_with_a_new_link(sign_in, clinic_client):
    with clinic_context("bondi"):
        invitation, url = invitations.invite(EMAIL, "reception")
    browser = sign_in("bondi", Role.OWNER)
    path = f"/settings/staff/invitations/{invitation.pk}/resend"
    assert f"on its way to {EMAIL}" in browser.post(path, follow=True).content.decode()
    assert mail.outbox[0].to == [EMAIL]
    assert clinic_client("bondi").get(url.removeprefix("http://bondi.localhost:8000")).status_code == 410
    assert "taken back before" in browser.post(path, follow=True).content.decode()
    assert len(mail.outbox) == 1


def test_an_admin_leaves_an_owners_invitation_as_it_is(sign_in):
    with clinic_context("bondi"):
        invitation, _ = invitations.invite(EMAIL, "owner")
    browser = sign_in("bondi", Role.ADMIN)
    for change in ("revoke", "resend"):
        browser.post(f"/settings/staff/invitations/{invitation.pk}/{change}")
    assert browser.post("/settings/staff/invite", {"email": EMAIL, "role": "readonly"}).status_code == 422
    with clinic_context("bondi"):
        assert invitations.pending().get() == invitation


def test_whoever_is_suspended_is_let_in_again_rather_than_invited(sign_in, staff_member):
    staff_member("bondi", email=EMAIL)
    with clinic_context("bondi"):
        User.objects.filter(email=EMAIL).update(is_active=False)
    answer = sign_in("bondi", Role.OWNER).post("/settings/staff/invite", {"email": EMAIL, "role": "reception"})
    assert "suspended: let them in again" in answer.content.decode()


def test_the_database_keeps_addresses_apart_in_any_case_and_roles_known(bondi, staff_member):
    user = staff_member("bondi")
    with clinic_context("bondi"):
        for broken in ({"email": user.email.title()}, {"email": EMAIL, "role": "boss"}):
            with pytest.raises(IntegrityError), transaction.atomic():
                User.objects.bulk_create([User(name="Robin", **broken)])
        assert User.objects.create_user(f" {EMAIL.upper()} ").email == EMAIL
