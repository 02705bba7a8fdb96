"""The settings overview."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from accounts import invitations
from accounts.models import Invitation, User
from sync.models import Connection
from tenants.context import clinic_context


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_owners_and_admins_see_each_page_with_a_summary(
    two_clinics: None, force_login: Callable[..., Client], role: str
) -> None:
    page = force_login("bondi", role=role).get("/settings/").content.decode()
    assert "Up to date. Last checked" in page
    assert "http://bondi.localhost:8000/patients<" in page
    assert 'href="/settings/staff/"' in page


@pytest.mark.parametrize("role", ["clinician", "reception", "readonly"])
def test_other_roles_are_refused(two_clinics: None, force_login: Callable[..., Client], role: str) -> None:
    browser = force_login("bondi", role=role)
    response = browser.get("/settings/")
    assert response.status_code == 403
    assert "have access to this page" in response.content.decode()
    assert "Clinic settings" not in browser.get("/").content.decode()


def test_the_key_is_not_on_the_page(two_clinics: None, force_login: Callable[..., Client]) -> None:
    assert "not opened in this test" not in force_login("bondi", role="owner").get("/settings/").content.decode()


def test_settings_pages_link_to_one_another(two_clinics: None, force_login: Callable[..., Client]) -> None:
    browser = force_login("bondi", role="owner")
    page = browser.get("/settings/").content.decode()
    for path in ("/settings/key", "/settings/sync", "/settings/staff/", "/settings/security", "/settings/access"):
        assert page.count(f'href="{path}"') == 2
        other = browser.get(path).content.decode()
        assert f'href="{path}" aria-current="page"' in other
        assert 'href="/settings/"' in other
    assert "1 person can sign in." in page
    assert "Two-step verification is optional. Signed out after 30 idle minutes." in page


def test_a_summary_shows_a_problem(two_clinics: None, force_login: Callable[..., Client]) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(state="key_invalid", key_state="invalid", key_last4="7nv3")
    assert "Cliniko refuses the key …7nv3. Enter a new one." in (
        force_login("bondi", role="owner").get("/settings/").content.decode()
    )
    assert "…7nv3" not in force_login("harbour", role="owner").get("/settings/").content.decode()


def test_days_on_staff_pages_are_in_the_clinics_time_zone(
    two_clinics: None, force_login: Callable[..., Client], staff_member: Callable[..., User]
) -> None:
    owner = force_login("bondi", "owner")
    evening = datetime(2024, 3, 9, 20, 30, tzinfo=UTC)  # in Sydney the morning of the 10th
    person = staff_member("bondi", "owner")
    with clinic_context("bondi"):
        invitations.invite("new@clinic.example", "reception")
        Invitation.objects.update(expires_at=evening + timedelta(days=4380))
        app = Authenticator.objects.create(user=person, type="totp", data={})
        Authenticator.objects.filter(pk=app.pk).update(created_at=evening)
    assert "works until Fri 7 Mar 2036" in owner.get("/settings/staff/").content.decode()
    assert "Set up on Sun 10 Mar 2024" in owner.get("/account/").content.decode()
