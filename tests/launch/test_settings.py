"""The clinic's settings."""

from collections.abc import Callable

import pytest
from django.test import Client


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
