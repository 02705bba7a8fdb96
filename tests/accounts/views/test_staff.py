"""The staff page, roles and permissions."""

from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils.html import escape

from accounts import invitations
from accounts.models import Invitation, User
from accounts.roles import PERMISSION_LABELS, PERMISSIONS, Permission, Role, may
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
def test_each_role_has_the_permissions_of_the_table(role):
    user = User(role=role)
    assert {permission: may(user, permission) for permission in Permission} == {
        permission: role in who for permission, who in WHO_MAY.items()
    }


def test_visitors_and_suspended_users_have_no_permissions():
    for user in (AnonymousUser(), User(role=Role.OWNER, is_active=False), User(role="boss"), None):
        assert not any(may(user, permission) for permission in Permission)


def test_role_labels():
    assert Role.labels == ["Owner", "Admin", "Clinician", "Reception", "Read-only"]


def test_the_page_and_the_docs_show_which_roles_have_each_permission(sign_in):
    page = sign_in("bondi", Role.ADMIN).get("/settings/staff/").content.decode()
    docs = Path("docs/clinics.md").read_text()
    assert set(PERMISSION_LABELS) == set(Permission)
    for permission, label in PERMISSION_LABELS.items():
        granted = [permission in PERMISSIONS[role] for role in Role]
        row = page.partition(f'<th scope="row">{escape(label)}</th>')[2].partition("</tr>")[0]
        assert [("yes</span>" in cell) for cell in row.split("</td>")[:-1]] == granted
        assert f"| {label} | {' | '.join('yes' if each else '' for each in granted)} |".replace("  ", " ") in docs


@pytest.mark.parametrize("role", Role)
def test_pages_answer_403_without_the_permission(sign_in, role):
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


def test_the_page_lists_only_this_clinics_staff_and_invitations(sign_in, staff_member):
    staff_member("harbour", email="kim@harbour.example")
    with clinic_context("harbour"):
        invitations.invite("lee@harbour.example", "reception")
    with clinic_context("bondi"):
        invitations.invite(EMAIL, "reception")
    page = sign_in("bondi", Role.OWNER).get("/settings/staff/").content.decode()
    assert "owner@clinic.example" in page
    assert EMAIL in page
    assert "harbour.example" not in page


def test_an_owner_invites_someone_by_email(sign_in):
    browser = sign_in("bondi", Role.OWNER)
    answer = browser.post("/settings/staff/invite", {"email": f" {EMAIL.upper()}", "role": "owner"}, follow=True)
    assert f"emailed an invitation to {EMAIL}" in answer.content.decode()
    assert mail.outbox[0].to == [EMAIL]
    with clinic_context("bondi"):
        invitation = Invitation.objects.get()
        assert invitation.invited_by is not None
        assert (invitation.invited_by.role, invitation.role) == ("owner", "owner")


def test_an_admin_cannot_invite_an_owner(sign_in, staff_member):
    answer = sign_in("bondi", Role.ADMIN).post("/settings/staff/invite", {"email": EMAIL, "role": "owner"})
    assert answer.status_code == 422
    with clinic_context("bondi"):
        admin = User.objects.get()
        with pytest.raises(invitations.RoleRefused, match="can't invite someone as Owner"):
            invitations.invite(EMAIL, "owner", admin)
        assert not Invitation.objects.exists()
    assert mail.outbox == []


def test_existing_staff_cannot_be_invited(sign_in):
    form = {"email": "owner@clinic.example", "role": "reception"}
    answer = sign_in("bondi", Role.OWNER).post("/settings/staff/invite", form)
    assert answer.status_code == 422
    assert "already has an account" in answer.content.decode()


def test_the_link_is_shown_once_if_the_email_fails(sign_in, settings, clinic_client):
    browser = sign_in("bondi", Role.OWNER)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    page = browser.post("/settings/staff/invite", {"email": EMAIL, "role": "reception"}).content.decode()
    assert "http://bondi.localhost:8000/invite/" in page
    assert "/invite/" not in browser.get("/settings/staff/").content.decode().replace("staff/invite", "")


def test_an_invitation_is_cancelled(sign_in, clinic_client):
    with clinic_context("bondi"):
        invitation, url = invitations.invite(EMAIL, "reception")
    browser = sign_in("bondi", Role.OWNER)
    path = f"/settings/staff/invitations/{invitation.pk}/revoke"
    assert "no longer works" in browser.post(path, follow=True).content.decode()
    assert "already been used or cancelled" in browser.post(path, follow=True).content.decode()
    assert clinic_client("bondi").get(url.removeprefix("http://bondi.localhost:8000")).status_code == 410


def test_an_invitation_is_resent_with_a_new_link(sign_in, clinic_client):
    with clinic_context("bondi"):
        invitation, url = invitations.invite(EMAIL, "reception")
    browser = sign_in("bondi", Role.OWNER)
    path = f"/settings/staff/invitations/{invitation.pk}/resend"
    assert f"emailed an invitation to {EMAIL}" in browser.post(path, follow=True).content.decode()
    assert mail.outbox[0].to == [EMAIL]
    assert clinic_client("bondi").get(url.removeprefix("http://bondi.localhost:8000")).status_code == 410
    assert "already been used or cancelled" in browser.post(path, follow=True).content.decode()
    assert len(mail.outbox) == 1


def test_an_admin_cannot_change_an_owners_invitation(sign_in):
    with clinic_context("bondi"):
        invitation, _ = invitations.invite(EMAIL, "owner")
    browser = sign_in("bondi", Role.ADMIN)
    for change in ("revoke", "resend"):
        browser.post(f"/settings/staff/invitations/{invitation.pk}/{change}")
    assert browser.post("/settings/staff/invite", {"email": EMAIL, "role": "readonly"}).status_code == 422
    with clinic_context("bondi"):
        assert invitations.pending().get() == invitation


def test_a_suspended_user_cannot_be_invited(sign_in, staff_member):
    staff_member("bondi", email=EMAIL)
    with clinic_context("bondi"):
        User.objects.filter(email=EMAIL).update(is_active=False)
    answer = sign_in("bondi", Role.OWNER).post("/settings/staff/invite", {"email": EMAIL, "role": "reception"})
    assert "suspended. Unsuspend it instead." in answer.content.decode()


def test_the_database_enforces_unique_emails_in_any_case_and_known_roles(bondi, staff_member):
    user = staff_member("bondi")
    with clinic_context("bondi"):
        for invalid in ({"email": user.email.title()}, {"email": EMAIL, "role": "boss"}):
            with pytest.raises(IntegrityError), transaction.atomic():
                User.objects.bulk_create([User(name="Robin", **invalid)])
        assert User.objects.create_user(f" {EMAIL.upper()} ").email == EMAIL
