"""Choosing a new password, by a link or while signed in."""

import re

import pytest
from django.core import mail

from accounts.models import User
from accounts.reset_links import ResetTokenGenerator
from accounts.tasks import send_reset_link
from tenants.context import clinic_context
from tests.conftest import PASSWORD

NEW = "a longer horse 43"


def ask(browser, email: str):
    return browser.post("/password/reset/", {"email": email})


def link_in_mail() -> str:
    found = re.search(r"http://\S+", str(mail.outbox[-1].body))
    assert found
    return found[0]


def path_of(link: str) -> str:
    return link.removeprefix("http://bondi.localhost:8000").removeprefix("http://harbour.localhost:8000")


def choose(browser, path: str, password: str = NEW):
    form = browser.get(path, follow=True)
    if "password1" not in form.content.decode():
        return form
    return browser.post(form.request["PATH_INFO"], {"password1": password, "password2": password})


def test_a_link_comes_by_mail_and_sets_a_new_password(clinic_client, staff_member):
    email = staff_member("bondi").email
    browser = clinic_client("bondi")
    assert ask(browser, email.upper())["Location"] == "/password/reset/done/"
    assert "Bondi Physio" in mail.outbox[-1].subject
    assert "Bondi Physio" in mail.outbox[-1].body
    assert link_in_mail().startswith("http://bondi.localhost:8000/password/reset/key/")
    assert choose(browser, path_of(link_in_mail()))["Location"] == "/password/reset/key/done/"
    assert browser.get("/password/reset/key/done/").status_code == 200
    assert browser.post("/login", {"login": email, "password": PASSWORD}).status_code == 200
    assert browser.post("/login", {"login": email, "password": NEW})["Location"] == "/"


def test_a_link_counts_once(clinic_client, staff_member):
    browser = clinic_client("bondi")
    ask(browser, staff_member("bondi").email)
    choose(browser, path_of(link_in_mail()))
    assert "no longer valid" in choose(clinic_client("bondi"), path_of(link_in_mail())).content.decode()


def test_an_unknown_and_a_closed_account_get_the_same_answer_and_no_mail(clinic_client, staff_member):
    closed = staff_member("bondi", "owner").email
    with clinic_context("bondi"):
        User.objects.update(is_active=False)
    for email in ("nobody@clinic.example", closed):
        answer = ask(clinic_client("bondi"), email)
        assert answer["Location"] == "/password/reset/done/"
    assert mail.outbox == []


def test_a_worker_is_told_of_clinic_and_person_and_as_much_where_there_is_nobody(
    clinic_client, staff_member, eager_mail_tasks
):
    user = staff_member("bondi")
    for email in (user.email, "nobody@clinic.example"):
        ask(clinic_client("bondi"), email)
    with clinic_context("bondi") as clinic:
        schema = clinic.schema_name
    assert eager_mail_tasks == [{"schema_name": schema, "user_id": number} for number in (user.pk, 0)]
    assert len(mail.outbox) == 1


def test_a_message_for_a_clinic_that_is_gone_or_for_somebody_switched_off_sends_nothing(staff_member):
    user = staff_member("bondi")
    with clinic_context("bondi") as clinic:
        User.objects.update(is_active=False)
    send_reset_link(schema_name=clinic.schema_name, user_id=user.pk)
    send_reset_link(schema_name="clinic_0000000000000000", user_id=user.pk)
    assert mail.outbox == []


def test_known_and_unknown_addresses_are_told_alike_to_wait(clinic_client, staff_member):
    def answers(email):
        return [ask(clinic_client("bondi"), email) for _ in range(6)]

    known, unknown = answers(staff_member("bondi").email), answers("nobody@clinic.example")
    assert [each.status_code for each in known] == [each.status_code for each in unknown] == [302] * 5 + [429]
    assert known[-1].content == unknown[-1].content


def test_a_link_of_one_clinic_is_useless_at_the_other(clinic_client, twins):
    ask(clinic_client("bondi"), twins)
    assert "no longer valid" in choose(clinic_client("harbour"), path_of(link_in_mail())).content.decode()
    assert choose(clinic_client("bondi"), path_of(link_in_mail()))["Location"] == "/password/reset/key/done/"


def test_a_token_names_its_clinic(bondi, harbour):
    user = User(pk=1, email="robin@clinic.example", password="the same hash")
    with clinic_context("bondi"):
        token = ResetTokenGenerator().make_token(user)
        assert ResetTokenGenerator().check_token(user, token)
    with clinic_context("harbour"):
        assert not ResetTokenGenerator().check_token(user, token)


def test_the_link_names_the_clinics_own_host_whatever_the_request_says(clinic_client, staff_member):
    email = staff_member("bondi").email
    clinic_client("bondi").post("/password/reset/", {"email": email}, headers={"Host": "BONDI.localhost.:6666"})
    assert link_in_mail().startswith("http://bondi.localhost:8000/")


def test_six_requests_at_one_clinic_do_not_stop_the_other(clinic_client, staff_member):
    email = staff_member("bondi").email
    staff_member("harbour")
    answers = [ask(clinic_client("bondi"), email).status_code for _ in range(6)]
    assert answers == [302] * 5 + [429]
    assert ask(clinic_client("harbour"), email).status_code == 302


def test_six_requests_of_one_person_do_not_stop_their_colleague(clinic_client, staff_member):
    email, colleague = staff_member("bondi").email, staff_member("bondi", "clinician").email
    assert [ask(clinic_client("bondi"), email).status_code for _ in range(6)][-1] == 429
    assert ask(clinic_client("bondi"), colleague).status_code == 302


def test_what_one_address_asked_at_one_clinic_does_not_count_at_the_other(clinic_client, staff_member):
    email = staff_member("harbour").email
    asked = [ask(clinic_client("bondi"), f"robin{number}@clinic.example").status_code for number in range(61)]
    assert asked == [302] * 60 + [429]
    assert ask(clinic_client("harbour"), email).status_code == 302


def test_a_new_password_ends_the_rest_after_too_many_tries(clinic_client, staff_member):
    email = staff_member("bondi").email
    browser = clinic_client("bondi")
    for _ in range(6):
        browser.post("/login", {"login": email, "password": "wrong"})
    ask(browser, email)
    choose(browser, path_of(link_in_mail()))
    assert browser.post("/login", {"login": email, "password": NEW})["Location"] == "/"


@pytest.mark.parametrize("weak", ["short", "1234567890", "password123", "reception@clinic.example"])
def test_a_weak_password_is_refused_with_a_reason(clinic_client, staff_member, weak):
    browser = clinic_client("bondi")
    ask(browser, staff_member("bondi").email)
    answer = choose(browser, path_of(link_in_mail()), weak)
    assert answer.status_code == 200
    assert 'id="id_password1_error" role="alert"' in answer.content.decode()


def test_staff_change_their_password_and_stay_signed_in_under_a_new_session(sign_in):
    here, elsewhere = sign_in("bondi"), sign_in("bondi")
    before = here.session.session_key
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert here.post("/password/change/", form)["Location"] == "/"
    assert here.session.session_key != before
    assert here.get("/patients/42/").status_code == 200
    assert elsewhere.get("/patients/42/")["Location"].startswith("/login")


def test_changing_needs_the_password_of_now(sign_in):
    browser = sign_in("bondi")
    form = {"oldpassword": "wrong", "password1": NEW, "password2": NEW}
    assert 'id="id_oldpassword_error"' in browser.post("/password/change/", form).content.decode()
