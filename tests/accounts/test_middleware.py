"""Private responses, and sessions that belong to one clinic."""

import pytest
from django.contrib.sessions.models import Session

from accounts.models import User
from tenants.context import clinic_context

PRIVATE_HEADERS = {
    "Cache-Control": "no-store, private",
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@pytest.mark.parametrize(
    "path", ["/patients/42/", "/login", "/nothing-here", "/healthz", "/password/reset/", "/invite/x/"]
)
@pytest.mark.parametrize("signed_in", [True, False])
def test_every_response_is_private(clinic_client, sign_in, path, signed_in):
    browser = sign_in("bondi") if signed_in else clinic_client("bondi")
    answer = browser.get(path)
    assert {name: answer.get(name) for name in PRIVATE_HEADERS} == PRIVATE_HEADERS
    assert answer["Permissions-Policy"] == (
        "browsing-topics=(), camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"
    )
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]


def test_static_files_stay_cacheable(clinic_client):
    answer = clinic_client("bondi").get("/static/css/sidechart.css")
    assert answer.status_code == 200
    assert "no-store" not in answer.get("Cache-Control", "")
    assert "no-store" in clinic_client("bondi").get("/static/nothing.css")["Cache-Control"]


def test_a_session_is_rejected_at_another_clinic_and_lives_on_at_its_own(sign_in, clinic_client, twins):
    at_bondi = sign_in("bondi", email=twins)
    key = at_bondi.session.session_key
    at_harbour = clinic_client("harbour")
    at_harbour.cookies["sessionid"] = key
    assert at_harbour.get("/patients/42/")["Location"].startswith("/login")
    at_harbour.post("/logout")
    assert at_bondi.get("/patients/42/").status_code == 200


def test_a_copied_session_row_is_rejected_at_another_clinic(sign_in, clinic_client, twins):
    """As if a schema was cloned with its data: same row, user id and password hash."""
    at_bondi = sign_in("bondi", email=twins)
    with clinic_context("bondi"):
        row = Session.objects.get()
    with clinic_context("harbour"):
        Session.objects.create(session_key=row.session_key, session_data=row.session_data, expire_date=row.expire_date)
    at_harbour = clinic_client("harbour")
    at_harbour.cookies["sessionid"] = row.session_key
    assert at_harbour.get("/patients/42/")["Location"].startswith("/login")
    with clinic_context("harbour"):
        assert not Session.objects.filter(session_key=row.session_key).exists()
    assert at_bondi.get("/patients/42/").status_code == 200


def test_the_session_hash_differs_between_clinics(bondi, harbour):
    user = User(pk=1, password="the same hash")
    with clinic_context("bondi"):
        at_bondi = user.get_session_auth_hash()
        assert at_bondi == user.get_session_auth_hash()
    with clinic_context("harbour"):
        assert user.get_session_auth_hash() != at_bondi


def test_a_suspended_user_is_signed_out_on_their_next_request(sign_in):
    browser = sign_in("bondi")
    assert browser.get("/patients/42/").status_code == 200
    with clinic_context("bondi"):
        User.objects.update(is_active=False)
    assert browser.get("/patients/42/")["Location"].startswith("/login")


def test_a_password_changed_elsewhere_ends_the_open_session(sign_in):
    browser = sign_in("bondi")
    with clinic_context("bondi"):
        user = User.objects.get()
        user.set_password("another one 43")
        user.save()
    assert browser.get("/patients/42/")["Location"].startswith("/login")


def test_a_visitors_form_redirects_to_sign_in_without_a_ticket(clinic_client):
    assert clinic_client("bondi").post("/patients/42/")["Location"] == "/login"


def test_a_fragment_without_a_session_sends_the_whole_page_to_sign_in(clinic_client):
    browser = clinic_client("bondi")
    around = {"HX-Request": "true", "HX-Current-URL": "http://bondi.localhost/patients/42/"}
    answer = browser.get("/patients/42/", headers=around)
    assert answer.status_code == 401
    assert answer["HX-Redirect"].startswith("/login?t=")
    elsewhere = around | {"HX-Current-URL": "http://evil.example/patients/42/"}
    assert browser.get("/patients/42/", headers=elsewhere)["HX-Redirect"] == "/login"


def test_the_base_host_needs_no_clinic(clinic_client, client):
    assert client.get("/healthz", headers={"Host": "localhost"}).status_code == 200
