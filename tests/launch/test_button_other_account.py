"""A click on a button in another Cliniko account, where patient 42 is another person."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from launch.button_clicks import Kind
from sync.models import Connection
from tenants.context import clinic_context
from tests.conftest import PASSWORD
from tests.launch.conftest import access_log
from tests.launch.views.test_button import CLICKED, Browsers, clicks, has_worked, poll

SIGNED_IN = CLICKED | {"Sec-Fetch-Site": "same-origin", "Referer": "http://bondi.localhost/login"}


@pytest.mark.parametrize("referer", ["https://harbour.au1.cliniko.com/", "https://harbour.au2.cliniko.com/patients/42"])
def test_a_click_in_another_account_opens_no_one(connected_owner: Client, force_login: Browsers, referer: str) -> None:
    response = force_login("bondi").get("/patients?patient_id=42", headers=CLICKED | {"Referer": referer}, follow=True)
    page = response.content.decode()
    assert response.status_code == 409
    assert "in a Cliniko account that isn&#x27;t this clinic&#x27;s." in page
    assert "harbour" not in page.lower()
    assert "Lindqvist" not in page
    assert "This is Bondi Physio: open it here" in page
    assert clicks() == {Kind.OTHER_ACCOUNT: "Robin Reception"}
    assert "in a Cliniko account that isn&#x27;t this clinic&#x27;s" in poll(connected_owner)
    assert not has_worked()


@pytest.mark.parametrize(
    "referer",
    [
        "",
        "https://bondi.au1.cliniko.com/",
        "https://bondi.uk1.cliniko.com/patients/7",
        "https://www.cliniko.com/",
        "https://evil.example/",
        "https://harbour.au1.cliniko.com.evil.example/",
    ],
)
def test_a_click_in_this_account_or_in_an_unknown_one_opens_the_patient(connected_owner: Client, referer: str) -> None:
    response = connected_owner.get("/patients?patient_id=42", headers=CLICKED | {"Referer": referer})
    assert (response.status_code, response["Location"]) == (302, "/patients/42/")


def test_a_clinic_that_never_connected_accepts_every_click(connected_owner: Client) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(account_subdomain="")
    response = connected_owner.get("/patients?patient_id=42", headers={"Referer": "https://harbour.au1.cliniko.com/"})
    assert response.status_code == 302


def test_visitors_do_not_learn_which_account_the_clinic_has(two_clinics: None, clinic_client: Browsers) -> None:
    lengths = set()
    for account in ("bondi", "harbour"):
        response = clinic_client("bondi").get(
            "/patients?patient_id=42", headers={"Referer": f"https://{account}.au1.cliniko.com/"}
        )
        assert (response.status_code, response["Location"][:9]) == (302, "/login?t=")
        lengths.add(len(response["Location"]))
    assert len(lengths) == 1
    assert set(clicks()) == {Kind.SIGNED_OUT}


@pytest.mark.parametrize("address", ["/patients?patient_id=42", "/patients/?patient_id=42"])
def test_it_opens_no_one_after_sign_in_either(
    connected_owner: Client, staff_member: Callable[..., User], clinic_client: Browsers, address: str
) -> None:
    user, browser = staff_member("bondi"), clinic_client("bondi")
    to_sign_in = browser.get(address, headers=CLICKED | {"Referer": "https://harbour.au1.cliniko.com/"})
    signed_in = browser.post(to_sign_in["Location"], {"login": user.email, "password": PASSWORD})
    shown = browser.get(signed_in["Location"], headers=SIGNED_IN)
    assert shown.status_code == 409
    assert "in a Cliniko account that isn&#x27;t this clinic&#x27;s." in shown.content.decode()
    assert "Lindqvist" not in shown.content.decode()
    assert access_log("bondi") == []
    assert clicks()[Kind.OTHER_ACCOUNT] == "Robin Reception"
    assert 'href="/patients/42/">This is Bondi Physio: open it here' in shown.content.decode()


def test_a_marked_link_on_another_website_is_not_a_click(connected_owner: Client, force_login: Browsers) -> None:
    link = "/patients?patient_id=42&another_account=yes"
    response = force_login("bondi").get(link, headers=CLICKED | {"Referer": "https://evil.example/"})
    assert response.status_code == 409
    assert clicks() == {}


def test_the_page_is_shown_again_after_a_new_sign_in(
    connected_owner: Client, staff_member: Callable[..., User], force_login: Browsers
) -> None:
    user, browser = staff_member("bondi"), force_login("bondi")
    shown = browser.get(
        "/patients?patient_id=42", headers=CLICKED | {"Referer": "https://harbour.au1.cliniko.com/"}, follow=True
    )
    assert shown.status_code == 409
    browser.cookies.clear()
    here = f"{shown.request['PATH_INFO']}?{shown.request['QUERY_STRING']}"  # where session.js leads after the sign-in
    to_sign_in = browser.get(here, headers={"Referer": f"http://bondi.localhost{here}"})
    signed_in = browser.post(to_sign_in["Location"], {"login": user.email, "password": PASSWORD})
    assert browser.get(signed_in["Location"]).status_code == 409
