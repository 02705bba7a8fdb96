"""Resetting a password by email, and changing it while signed in."""

import re

import pytest
from django.core import mail

from accounts.models import User
from accounts.reset_links import ResetTokenGenerator
from accounts.tasks import send_reset_link
from tenants.context import clinic_context
from tests.conftest import PASSWORD

NEW_PASSWORD = "a longer horse 43"


def request_reset(browser, email: str):
    return browser.post("/password/reset/", {"email": email})


def link_in_email() -> str:
    found = re.search(r"http://\S+", str(mail.outbox[-1].body))
    assert found
    return found[0]


def path_of(link: str) -> str:
    return link.removeprefix("http://bondi.localhost:8000").removeprefix("http://harbour.localhost:8000")


def reset_password(browser, path: str, password: str = NEW_PASSWORD):
    form = browser.get(path, follow=True)
    if "password1" not in form.content.decode():
        return form
    return browser.post(form.request["PATH_INFO"], {"password1": password, "password2": password})


def test_an_emailed_link_sets_a_new_password(clinic_client, staff_member):
    email = staff_member("bondi").email
    browser = clinic_client("bondi")
    assert request_reset(browser, email.upper())["Location"] == "/password/reset/done/"
    assert "Bondi Physio" in mail.outbox[-1].subject
    assert "Bondi Physio" in mail.outbox[-1].body
    assert link_in_email().startswith("http://bondi.localhost:8000/password/reset/key/")
    assert reset_password(browser, path_of(link_in_email()))["Location"] == "/password/reset/key/done/"
    assert browser.get("/password/reset/key/done/").status_code == 200
    assert browser.post("/login", {"login": email, "password": PASSWORD}).status_code == 200
    assert browser.post("/login", {"login": email, "password": NEW_PASSWORD})["Location"] == "/"


def test_a_link_works_once(clinic_client, staff_member):
    browser = clinic_client("bondi")
    request_reset(browser, staff_member("bondi").email)
    reset_password(browser, path_of(link_in_email()))
    assert "no longer valid" in reset_password(clinic_client("bondi"), path_of(link_in_email())).content.decode()


def test_unknown_and_suspended_accounts_get_the_same_response_and_no_email(clinic_client, staff_member):
    suspended = staff_member("bondi", "owner").email
    with clinic_context("bondi"):
        User.objects.update(is_active=False)
    for email in ("nobody@clinic.example", suspended):
        answer = request_reset(clinic_client("bondi"), email)
        assert answer["Location"] == "/password/reset/done/"
    assert mail.outbox == []


def test_the_queued_task_has_the_same_shape_for_known_and_unknown_addresses(
    clinic_client, staff_member, eager_mail_tasks
):
    user = staff_member("bondi")
    for email in (user.email, "nobody@clinic.example"):
        request_reset(clinic_client("bondi"), email)
    with clinic_context("bondi") as clinic:
        schema = clinic.schema_name
    assert eager_mail_tasks == [{"schema_name": schema, "user_id": number} for number in (user.pk, 0)]
    assert len(mail.outbox) == 1


def test_a_task_for_a_purged_clinic_or_a_suspended_user_sends_nothing(staff_member):
    user = staff_member("bondi")
    with clinic_context("bondi") as clinic:
        User.objects.update(is_active=False)
    send_reset_link(schema_name=clinic.schema_name, user_id=user.pk)
    send_reset_link(schema_name="clinic_0000000000000000", user_id=user.pk)
    assert mail.outbox == []


def test_rate_limits_do_not_reveal_which_addresses_are_known(clinic_client, staff_member):
    def answers(email):
        return [request_reset(clinic_client("bondi"), email) for _ in range(6)]

    known, unknown = answers(staff_member("bondi").email), answers("nobody@clinic.example")
    assert [each.status_code for each in known] == [each.status_code for each in unknown] == [302] * 5 + [429]
    assert known[-1].content == unknown[-1].content


def test_a_link_does_not_work_at_another_clinic(clinic_client, twins):
    request_reset(clinic_client("bondi"), twins)
    assert "no longer valid" in reset_password(clinic_client("harbour"), path_of(link_in_email())).content.decode()
    assert reset_password(clinic_client("bondi"), path_of(link_in_email()))["Location"] == "/password/reset/key/done/"


def test_a_token_is_bound_to_its_clinic(bondi, harbour):
    user = User(pk=1, email="robin@clinic.example", password="the same hash")
    with clinic_context("bondi"):
        token = ResetTokenGenerator().make_token(user)
        assert ResetTokenGenerator().check_token(user, token)
    with clinic_context("harbour"):
        assert not ResetTokenGenerator().check_token(user, token)


def test_the_link_uses_the_clinics_host_whatever_the_host_header_says(clinic_client, staff_member):
    email = staff_member("bondi").email
    clinic_client("bondi").post("/password/reset/", {"email": email}, headers={"Host": "BONDI.localhost.:6666"})
    assert link_in_email().startswith("http://bondi.localhost:8000/")


def test_rate_limits_of_one_clinic_do_not_apply_at_another(clinic_client, staff_member):
    email = staff_member("bondi").email
    staff_member("harbour")
    answers = [request_reset(clinic_client("bondi"), email).status_code for _ in range(6)]
    assert answers == [302] * 5 + [429]
    assert request_reset(clinic_client("harbour"), email).status_code == 302


def test_a_users_rate_limit_does_not_apply_to_a_colleague(clinic_client, staff_member):
    email, colleague = staff_member("bondi").email, staff_member("bondi", "clinician").email
    assert [request_reset(clinic_client("bondi"), email).status_code for _ in range(6)][-1] == 429
    assert request_reset(clinic_client("bondi"), colleague).status_code == 302


def test_an_ip_addresss_rate_limit_is_per_clinic(clinic_client, staff_member):
    email = staff_member("harbour").email
    asked = [request_reset(clinic_client("bondi"), f"robin{number}@clinic.example").status_code for number in range(61)]
    assert asked == [302] * 60 + [429]
    assert request_reset(clinic_client("harbour"), email).status_code == 302


def test_a_password_reset_lifts_the_sign_in_rate_limit(clinic_client, staff_member):
    email = staff_member("bondi").email
    browser = clinic_client("bondi")
    for _ in range(6):
        browser.post("/login", {"login": email, "password": "wrong"})
    request_reset(browser, email)
    reset_password(browser, path_of(link_in_email()))
    assert browser.post("/login", {"login": email, "password": NEW_PASSWORD})["Location"] == "/"


@pytest.mark.parametrize("weak", ["short", "1234567890", "password123", "reception@clinic.example"])
def test_a_weak_password_is_refused_with_a_reason(clinic_client, staff_member, weak):
    browser = clinic_client("bondi")
    request_reset(browser, staff_member("bondi").email)
    answer = reset_password(browser, path_of(link_in_email()), weak)
    assert answer.status_code == 200
    assert 'id="id_password1_error" role="alert"' in answer.content.decode()


def test_changing_the_password_keeps_this_session_under_a_new_key_and_ends_others(sign_in):
    here, elsewhere = sign_in("bondi"), sign_in("bondi")
    before = here.session.session_key
    form = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert here.post("/password/change/", form)["Location"] == "/"
    assert here.session.session_key != before
    assert here.get("/patients/42/").status_code == 200
    assert elsewhere.get("/patients/42/")["Location"].startswith("/login")


def test_changing_the_password_needs_the_current_one(sign_in):
    browser = sign_in("bondi")
    form = {"oldpassword": "wrong", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert 'id="id_oldpassword_error"' in browser.post("/password/change/", form).content.decode()
