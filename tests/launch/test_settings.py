"""The clinic's settings."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone

from accounts import invitations
from accounts.models import Invitation, User
from sync.models import Cursor
from tenants.context import clinic_context


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_owners_and_admins_see_how_the_mirror_stands(
    two_clinics: None, sign_in: Callable[..., Client], role: str
) -> None:
    page = sign_in("bondi", role=role).get("/settings/").content.decode()
    assert "All is well" in page
    assert "Australia/Sydney" in page
    assert "http://bondi.localhost:8000/patients<" in page
    assert 'href="/settings/staff/"' in page


@pytest.mark.parametrize("role", ["clinician", "reception", "readonly"])
def test_others_are_told_that_it_is_not_for_their_role(
    two_clinics: None, sign_in: Callable[..., Client], role: str
) -> None:
    browser = sign_in("bondi", role=role)
    answer = browser.get("/settings/")
    assert answer.status_code == 403
    assert "not for your role" in answer.content.decode()
    assert "Clinic settings" not in browser.get("/").content.decode()


def test_the_key_is_not_on_the_page(two_clinics: None, sign_in: Callable[..., Client]) -> None:
    assert "not opened in this test" not in sign_in("bondi", role="owner").get("/settings/").content.decode()


def test_an_import_fills_its_bar_while_the_page_is_open(two_clinics: None, sign_in: Callable[..., Client]) -> None:
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="patients").update(imported_at=None, after_id="1", walked=300, total=1200)
    browser = sign_in("bondi", role="owner")
    assert 'hx-trigger="every 3s"' in browser.get("/settings/").content.decode()
    part = browser.get("/settings/mirror", headers={"HX-Request": "true"}).content.decode()
    assert "300 of 1,200" in part
    assert 'value="25"' in part
    assert "First copy under way" in part
    assert "<html" not in part
    assert "300 of 1,200" not in sign_in("harbour", role="owner").get("/settings/mirror").content.decode()


def test_a_list_that_the_key_may_not_read_says_so_and_who_can_help(
    two_clinics: None, sign_in: Callable[..., Client]
) -> None:
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="medical_alerts").update(refused_at=timezone.now())
    page = sign_in("bondi", role="admin").get("/settings/").content.decode()
    assert "may not read medical alerts" in page
    assert "Somebody who manages users in Cliniko" in page
    assert "All is well" not in page


def test_a_list_of_cancelled_ones_that_rests_is_told_at_this_clinic_alone(
    two_clinics: None, sign_in: Callable[..., Client]
) -> None:
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="individual_appointments").update(asks_hidden=False)
        Cursor.objects.create(resource="individual_appointments/cancelled", refused_at=timezone.now())
    told = "which of them were cancelled"
    assert told in sign_in("bondi", role="owner").get("/settings/").content.decode()
    assert told not in sign_in("harbour", role="owner").get("/settings/").content.decode()


def test_looking_at_the_progress_does_not_keep_a_session_alive(
    two_clinics: None, sign_in: Callable[..., Client]
) -> None:
    browser = sign_in("bondi", role="owner")
    assert "Set-Cookie" not in browser.get("/settings/mirror").headers


def test_days_on_the_pages_of_staff_are_the_clinics_own(
    two_clinics: None, sign_in: Callable[..., Client], staff_of: Callable[..., User]
) -> None:
    owner = sign_in("bondi", "owner")
    evening = datetime(2026, 3, 9, 20, 30, tzinfo=UTC)  # in Sydney the morning of the 10th
    person = staff_of("bondi", "owner")
    with clinic_context("bondi"):
        invitations.invite("new@clinic.example", "reception")
        Invitation.objects.update(expires_at=evening + timedelta(days=3650))
        app = Authenticator.objects.create(user=person, type="totp", data={})
        Authenticator.objects.filter(pk=app.pk).update(created_at=evening)
    assert "works until 7 March 2036" in owner.get("/settings/staff/").content.decode()
    assert "Set up on 10 March 2026" in owner.get("/account/").content.decode()
