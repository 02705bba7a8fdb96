"""Operators sign in on the base host, with a second factor and short sessions, apart from clinics' staff."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts import invitations, reset_links
from accounts.models import OpenSession, User
from accounts.tasks import send_sign_in_changed
from audit.log import Action, record
from audit.models import Event
from ops import operators
from ops.errors import Refused
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.accounts.second_factors import Device, passkey_options, totp_code
from tests.conftest import PASSWORD

Browsers = Callable[..., Client]
ROOT = "http://localhost:8000"


def base() -> Client:
    return Client(HTTP_HOST="localhost")


def sign_in(browser: Client, email: str, password: str = PASSWORD, at: str = "/ops/login") -> str:
    response = browser.post(at, {"login": email, "password": password})
    return str(response.get("Location", response.content.decode()))


def accept(url: str) -> Client:
    browser = base()
    form = {"name": "Ana", "password1": PASSWORD, "password2": PASSWORD}
    assert browser.post(url.removeprefix(ROOT), form).status_code == 302
    return browser


def test_an_invited_operator_sets_up_a_second_factor_before_the_console(db: None) -> None:
    browser = accept(operators.create("Ana@sidechart.example").invite_url)
    assert mail.outbox[0].to == ["ana@sidechart.example"]
    response = browser.get("/ops/")
    assert response["Location"].startswith("/ops/account/?t=")
    page = browser.get(response["Location"]).content.decode()
    assert "Sidechart&#x27;s console requires two-step verification" in page
    set_up = browser.get("/ops/account/app").content.decode()
    secret = re.search(r"data-secret>([A-Z2-7 ]+)<", set_up)
    sealed = re.search(r'name="sealed" value="([^"]+)"', set_up)
    assert secret
    assert sealed
    made = browser.post("/ops/account/app", {"sealed": sealed[1], "code": totp_code(secret[1].replace(" ", ""))})
    assert made["Location"] == "/ops/account/recovery-codes"
    assert browser.get("/ops/account/recovery-codes").status_code == 200
    assert browser.get("/ops/").status_code == 200
    assert [each.action for each in Event.objects.order_by("pk")] == ["invited", "joined", "second_factor_added"]


@pytest.mark.parametrize(
    "path", ["/ops/", "/ops/log", "/ops/new", "/ops/clinics/bondi/", "/ops/do/compare?clinic=bondi", "/ops/nothing"]
)
def test_without_a_second_factor_only_its_setup_is_open(bondi: Clinic, operator_client: Browsers, path: str) -> None:
    browser = operator_client(second_factor=False)
    for response in (browser.get(path), browser.post(path)):
        assert response.status_code in (302, 404)
        assert response.get("Location", "/ops/account/").startswith("/ops/account/")
    assert browser.get("/ops/account/").status_code == 200


def test_the_password_leads_to_the_second_step_and_the_code_to_the_requested_page(
    bondi: Clinic, operator: Callable[..., User]
) -> None:
    browser, ana = base(), operator("ana")
    asked = browser.get("/ops/clinics/bondi/")["Location"]
    assert asked.startswith("/ops/login?t=")
    step = browser.post(asked, {"login": ana.email, "password": PASSWORD, "t": asked.partition("t=")[2]})["Location"]
    assert step.startswith("/ops/login/second-step?t=")
    assert browser.get("/ops/").status_code == 302
    done = browser.post(step, {"code": totp_code(), "t": step.partition("t=")[2]})
    assert done["Location"] == "/ops/clinics/bondi/"
    assert browser.get("/ops/clinics/bondi/").status_code == 200


def test_a_passkey_works_on_the_base_host_and_not_from_a_clinics_page(operator_client: Browsers, bondi: Clinic) -> None:
    at_work, device = operator_client("ana"), Device("localhost")
    made = device.create(passkey_options(at_work, "/ops/account/passkeys/ask"))
    assert at_work.post("/ops/account/passkeys/add", {"name": "Key", "credential": made}).status_code == 302
    fresh = base()
    response = device.get(passkey_options(fresh, "/ops/login/passkey/ask"))
    assert fresh.post("/ops/login/passkey", {"credential": response})["Location"] == "/ops/"
    assert fresh.get("/ops/").status_code == 200
    lured = base()
    device.origin = "http://bondi.localhost"
    response = device.get(passkey_options(lured, "/ops/login/passkey/ask"))
    assert lured.post("/ops/login/passkey", {"credential": response})["Location"] == "/ops/login"
    assert lured.get("/ops/").status_code == 302


@pytest.fixture
def triplets(bondi: Clinic, harbour: Clinic, operator: Callable[..., User]) -> str:
    """Create users with one ID, email address and password hash at both clinics and in public. Return the address."""
    ana = operator("ana")
    password = make_password(PASSWORD)
    User.objects.filter(pk=ana.pk).update(password=password)
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            User.objects.create(pk=ana.pk, email=ana.email, name="Ana", role="owner", password=password)
    return ana.email


def test_a_clinics_session_does_not_work_on_the_base_host_and_is_not_ended(
    triplets: str, clinic_client: Browsers
) -> None:
    at_bondi = clinic_client("bondi")
    assert sign_in(at_bondi, triplets, at="/login") == "/"
    there = base()
    there.cookies["sessionid"] = at_bondi.cookies["sessionid"].value
    assert there.get("/ops/")["Location"].startswith("/ops/login")
    assert there.post("/ops/logout")["Location"] == "/ops/login"
    assert at_bondi.get("/").status_code == 200


def test_an_operators_session_does_not_work_at_a_clinic_and_is_not_ended(
    triplets: str, clinic_client: Browsers, operator_client: Browsers
) -> None:
    ana = operator_client("ana")
    assert ana.get("/ops/").status_code == 200
    at_bondi = clinic_client("bondi")
    at_bondi.cookies["sessionid"] = ana.cookies["sessionid"].value
    assert at_bondi.get("/")["Location"].startswith("/login")
    assert ana.get("/ops/").status_code == 200


def test_a_copied_session_row_does_not_work_on_the_other_host(
    triplets: str, clinic_client: Browsers, operator_client: Browsers
) -> None:
    at_bondi, ana = clinic_client("bondi"), operator_client("ana")
    sign_in(at_bondi, triplets, at="/login")
    with clinic_context("bondi"):
        of_clinic = Session.objects.get()
    of_ops = Session.objects.get(session_key=ana.session.session_key)
    copied = {"session_data": of_clinic.session_data, "expire_date": of_clinic.expire_date}
    Session.objects.create(session_key="a" * 32, **copied)
    with clinic_context("bondi"):
        Session.objects.create(session_key="b" * 32, session_data=of_ops.session_data, expire_date=of_ops.expire_date)
    there, here = base(), clinic_client("bondi")
    there.cookies["sessionid"], here.cookies["sessionid"] = "a" * 32, "b" * 32
    assert there.get("/ops/")["Location"].startswith("/ops/login")
    assert here.get("/")["Location"].startswith("/login")


def test_staff_cannot_sign_in_to_the_console(staff_member: Callable[..., User]) -> None:
    owner = staff_member("bondi", "owner")
    assert "That email or password isn&#x27;t right" in sign_in(base(), owner.email)


def test_operators_cannot_sign_in_at_a_clinic(operator: Callable[..., User], clinic_client: Browsers) -> None:
    assert "That email or password isn&#x27;t right" in sign_in(
        clinic_client("bondi"), operator("ana").email, at="/login"
    )


def test_the_console_is_404_on_a_clinics_host(operator: Callable[..., User], sign_in: Browsers) -> None:
    assert sign_in("bondi", "owner").get("/ops/").status_code == 404


@pytest.mark.parametrize(("idle", "open_for", "status"), [(14, 60, 200), (16, 60, 302), (1, 8 * 60 + 1, 302)])
def test_an_operators_session_ends_after_15_idle_minutes_and_after_8_hours(
    operator_client: Browsers, idle: int, open_for: int, status: int
) -> None:
    browser, now = operator_client("ana"), timezone.now()
    OpenSession.objects.update(seen_at=now - timedelta(minutes=idle), started_at=now - timedelta(minutes=open_for))
    assert browser.get("/ops/").status_code == status


def test_a_suspended_operator_is_signed_out_and_another_is_not(operator_client: Browsers) -> None:
    ana, ben = operator_client("ana"), operator_client("ben")
    assert operators.suspend("ana@sidechart.example")
    assert ana.get("/ops/")["Location"].startswith("/ops/login")
    assert ben.get("/ops/").status_code == 200
    assert not operators.suspend("ana@sidechart.example")
    assert operators.resume("ana@sidechart.example")
    assert sign_in(base(), "ana@sidechart.example").startswith("/ops/login/second-step")


def test_after_a_reset_the_operator_sets_up_a_new_second_factor_first(operator_client: Browsers) -> None:
    ana = operator_client("ana")
    assert operators.reset_second_factor("ana@sidechart.example")
    assert "two-step verification for Sidechart's console was reset" in mail.outbox[0].body
    assert ana.get("/ops/")["Location"].startswith("/ops/login")
    again = base()
    sign_in(again, "ana@sidechart.example")
    assert again.get("/ops/")["Location"].startswith("/ops/account/")
    assert not operators.reset_second_factor("ana@sidechart.example")


def test_a_password_reset_still_requires_the_second_factor(operator: Callable[..., User]) -> None:
    ana, browser = operator("ana"), base()
    link = operators.reset_password(ana.email)
    assert link.startswith(f"{ROOT}/ops/password/reset/key/")
    form = browser.get(link.removeprefix(ROOT), follow=True).redirect_chain[-1][0]
    saved = browser.post(form, {"password1": "battery staple 43", "password2": "battery staple 43"})
    assert saved["Location"] == "/ops/password/reset/key/done/"
    assert sign_in(base(), ana.email, "battery staple 43").startswith("/ops/login/second-step")
    assert browser.get("/ops/").status_code == 302


def test_a_clinics_invitation_and_reset_link_do_not_work_on_the_base_host(
    operator: Callable[..., User], bondi: Clinic
) -> None:
    ana = operator("ana")
    with clinic_context("bondi"):
        User.objects.create(pk=ana.pk, email=ana.email, name="Ana", role="owner", password=ana.password)
        _, invited = invitations.invite("new@clinic.example", "owner")
        reset = reset_links.create(User.objects.get(pk=ana.pk))
    at_clinic = "http://bondi.localhost:8000"
    assert base().get("/ops" + invited.removeprefix(at_clinic)).status_code == 404
    response = base().get("/ops" + reset.removeprefix(at_clinic), follow=True)
    assert "This link is no longer valid" in response.content.decode()


def test_wrong_passwords_are_rate_limited_separately_from_clinics(triplets: str, clinic_client: Browsers) -> None:
    at_bondi = clinic_client("bondi")
    for _ in range(6):
        page = sign_in(at_bondi, triplets, "wrong", at="/login")
    assert "Too many attempts" in page
    assert sign_in(base(), triplets).startswith("/ops/login/second-step")
    for _ in range(6):
        page = sign_in(base(), triplets, "wrong")
    assert "Too many attempts" in page


def test_invalid_and_existing_operators_are_refused(operator: Callable[..., User]) -> None:
    operator("ana")
    for wrong in ("ana@sidechart.example", "nobody", "x" * 250 + "@sidechart.example"):
        with pytest.raises(Refused):
            operators.create(wrong)
    for act in (operators.suspend, operators.resume, operators.reset_second_factor, operators.reset_password):
        with pytest.raises(Refused, match="isn't an operator"):
            act("nobody@sidechart.example")
    assert not mail.outbox


def test_signing_out_ends_the_session(operator_client: Browsers) -> None:
    browser = operator_client("ana")
    assert browser.post("/ops/logout")["Location"] == "/ops/login"
    assert browser.get("/ops/")["Location"].startswith("/ops/login")


def test_an_operator_is_emailed_about_a_changed_second_factor(operator: Callable[..., User]) -> None:
    line = record(Action.SECOND_FACTOR_ADDED, by=operator("ana"), kind="passkey")
    send_sign_in_changed(schema_name="public", event_id=line.pk)
    (sent,) = mail.outbox
    assert (sent.to, sent.subject) == (["ana@sidechart.example"], "Your sign-in at Sidechart's console was changed")
    assert "http://localhost:8000/ops/account/" in sent.body
