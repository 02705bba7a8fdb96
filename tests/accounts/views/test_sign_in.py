"""Signing in and out, return tickets, stale forms and rate limits."""

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.messages import get_messages
from django.test import Client

from accounts.models import UsedTicket, User
from accounts.views.sign_in import TICKET_EXPIRED
from tenants.context import clinic_context
from tests.accounts.conftest import field_value
from tests.conftest import PASSWORD

PATIENT_URL = "/patients?patient_id=42"


def messages_of(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def attempt(browser: Client, email: str, password: str = PASSWORD, **fields: str):
    return browser.post("/login", {"login": email, "password": password, **fields})


def test_a_visitor_signs_in_and_lands_on_the_page_they_asked_for(clinic_client, email):
    browser = clinic_client("bondi")
    sent = browser.get(PATIENT_URL)
    assert sent.status_code == 302
    assert sent["Location"].startswith("/login?t=")
    ticket = field_value(browser.get(sent["Location"]).content.decode(), "t")
    signed_in = attempt(browser, email, t=ticket)
    assert signed_in["Location"] == PATIENT_URL
    assert browser.get(PATIENT_URL).content == b"patient 42"


def test_the_patients_id_is_not_in_the_sign_in_url_or_page(clinic_client, email):
    browser = clinic_client("bondi")
    sent = browser.get("/patients/1713650742029190111/")
    page = browser.get(sent["Location"]).content.decode()
    assert "1713650742029190111" not in sent["Location"] + page


def test_two_tabs_each_end_on_their_own_patient(clinic_client, email):
    browser = clinic_client("bondi")
    first = browser.get("/patients/42/")["Location"]
    second = browser.get("/patients/43/")["Location"]
    abandoned = browser.get("/patients/44/")["Location"]
    assert len({first, second, abandoned}) == 3
    assert attempt(browser, email, t=first.partition("t=")[2])["Location"] == "/patients/42/"
    assert browser.get(second)["Location"] == "/patients/43/"


def test_a_second_tabs_stale_form_ends_on_its_own_patient(csrf_client, email):
    browser = csrf_client("bondi")
    tabs = {}
    for patient in ("42", "43"):
        page = browser.get(browser.get(f"/patients/{patient}/")["Location"]).content.decode()
        tabs[patient] = {name: field_value(page, name) for name in ("t", "csrfmiddlewaretoken")}
    assert attempt(browser, email, **tabs["42"])["Location"] == "/patients/42/"
    stale = attempt(browser, email, **tabs["43"])
    assert stale["Location"] == f"/login?t={tabs['43']['t']}"
    assert browser.get(stale["Location"])["Location"] == "/patients/43/"


def test_a_sign_in_form_without_csrf_token_does_not_sign_in(csrf_client, email):
    browser = csrf_client("bondi")
    answer = attempt(browser, email, t="x" * 200)
    assert answer["Location"] == f"/login?t={'x' * 200}"
    assert "_auth_user_id" not in browser.session
    assert "open for too long" in browser.get("/login").content.decode()


@pytest.mark.parametrize("shape", ["<script>", "x", "/patients/42/", "x" * 9000])
def test_a_stale_form_passes_on_only_a_ticket(csrf_client, email, shape):
    assert attempt(csrf_client("bondi"), email, t=shape)["Location"] == "/login"


def test_other_stale_forms_explain_themselves(csrf_client):
    answer = csrf_client("bondi").post("/logout")
    assert answer.status_code == 403
    assert "open for too long" in answer.content.decode()


def test_a_stale_fragment_reloads_its_page(csrf_client, sign_in):
    browser = csrf_client("bondi")
    browser.cookies["sessionid"] = sign_in("bondi").cookies["sessionid"].value
    answer = browser.post("/search", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Refresh"]) == (403, "true")


def test_a_fragment_without_a_session_redirects_its_page_to_sign_in(csrf_client):
    around = {"HX-Request": "true", "HX-Current-URL": "http://bondi.localhost/patients/42/"}
    answer = csrf_client("bondi").post("/search", headers=around)
    assert answer.status_code == 401
    assert answer["HX-Redirect"].startswith("/login?t=")


def test_an_invalid_ticket_leads_home_with_a_message(clinic_client, email):
    browser = clinic_client("bondi")
    answer = attempt(browser, email, t="x" * 200)
    assert answer["Location"] == "/"
    assert messages_of(answer) == [TICKET_EXPIRED]


def test_a_ticket_used_before_sign_out_does_not_work_for_the_next_user(clinic_client, email, staff_member):
    browser = clinic_client("bondi")
    ticket = browser.get("/patients/42/")["Location"].partition("t=")[2]
    assert attempt(browser, email, t=ticket)["Location"] == "/patients/42/"
    browser.post("/logout")
    answer = attempt(browser, staff_member("bondi", "owner").email, t=ticket)
    assert answer["Location"] == "/"
    assert messages_of(answer) == ["You have signed out.", TICKET_EXPIRED]


def test_a_session_can_redeem_its_ticket_again(clinic_client, email):
    browser = clinic_client("bondi")
    ticket = browser.get("/patients/42/")["Location"].partition("t=")[2]
    attempt(browser, email, t=ticket)
    assert browser.get(f"/login?t={ticket}")["Location"] == "/patients/42/"
    assert browser.get(f"/login?t={ticket}")["Location"] == "/patients/42/"
    with clinic_context("bondi"):
        assert UsedTicket.objects.count() == 1


def test_a_ticket_of_another_clinic_leads_home(clinic_client, staff_member):
    ticket = clinic_client("harbour").get("/patients/42/")["Location"].partition("t=")[2]
    answer = attempt(clinic_client("bondi"), staff_member("bondi").email, t=ticket)
    assert answer["Location"] == "/"
    assert messages_of(answer) == [TICKET_EXPIRED]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://harbour.localhost/",
        "https://localhost/ops/",
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "https:evil.example",
        "/patients/42/",
    ],
)
def test_no_page_follows_next(clinic_client, staff_member, sign_in, elsewhere):
    email = staff_member("bondi").email
    assert attempt(clinic_client("bondi"), email, next=elsewhere)["Location"] == "/"
    browser = sign_in("bondi")
    assert browser.get("/login", {"next": elsewhere})["Location"] == "/"
    assert browser.post("/logout", {"next": elsewhere})["Location"] == "/login"
    asked = clinic_client("bondi").post("/password/reset/", {"email": email, "next": elsewhere})
    assert asked["Location"] == "/password/reset/done/"


def test_a_wrong_password_and_an_unknown_email_get_the_same_response(clinic_client, staff_member):
    known = attempt(clinic_client("bondi"), staff_member("bondi", email="robin@clinic.example").email, "wrong")
    unknown = attempt(clinic_client("bondi"), "nobod@clinic.example", "wrong")
    assert known.status_code == unknown.status_code == 200
    assert len(known.content) == len(unknown.content)
    assert 'role="alert"' in known.content.decode()
    said = known.content.decode().split("<form")[1].split("csrfmiddlewaretoken")
    assert said[0] == unknown.content.decode().split("<form")[1].split("csrfmiddlewaretoken")[0]


def test_they_get_the_same_response_after_too_many_attempts(clinic_client, staff_member):
    said = []
    for email in (staff_member("bondi", email="robin@clinic.example").email, "nobod@clinic.example"):
        for _ in range(6):
            answer = attempt(clinic_client("bondi"), email, "wrong")
        assert "Too many attempts" in answer.content.decode()
        said.append((answer.status_code, len(answer.content.replace(email.encode(), b""))))
    assert said[0] == said[1]


def test_an_unknown_email_costs_a_password_hashing_too(clinic_client, staff_member, settings, monkeypatch):
    settings.ACCOUNT_RATE_LIMITS = False
    known, work = staff_member("bondi").email, MD5PasswordHasher.encode
    hashed: list[str] = []

    def counted(hasher: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(salt)
        return work(hasher, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)

    def hashings(email: str) -> int:
        hashed.clear()
        attempt(clinic_client("bondi"), email, "wrong")
        return len(hashed)

    assert hashings(known) == hashings("nobody@clinic.example") > 0


def test_the_email_may_have_any_case_and_surrounding_spaces(clinic_client, email):
    assert attempt(clinic_client("bondi"), f"  {email.upper()} ")["Location"] == "/"


def test_signing_in_changes_the_session_key(clinic_client, email):
    browser = clinic_client("bondi")
    browser.get("/login")
    before = browser.session.session_key
    attempt(browser, email)
    assert browser.session.session_key != before
    assert browser.session.get_expire_at_browser_close()


def test_a_suspended_user_is_told_so_and_not_signed_in(clinic_client, email):
    with clinic_context("bondi"):
        User.objects.filter(email=email).update(is_active=False)
    browser = clinic_client("bondi")
    assert attempt(browser, email)["Location"] == "/inactive/"
    assert browser.get("/inactive/").status_code == 200
    assert browser.get("/")["Location"].startswith("/login")


def test_there_is_no_signup(clinic_client):
    for path in ("/signup", "/signup/", "/accounts/signup/"):
        assert clinic_client("bondi").get(path).status_code == 404


def test_signing_out_needs_a_post_and_clears_the_browser(sign_in):
    browser = sign_in("bondi")
    assert "Sign out?" in browser.get("/logout").content.decode()
    assert browser.get("/").status_code == 200
    gone = browser.post("/logout")
    assert gone["Location"] == "/login"
    assert gone["Clear-Site-Data"] == '"cache", "storage"'
    assert browser.get("/")["Location"].startswith("/login")
    assert browser.get("/logout")["Location"] == "/login"


def test_wrong_passwords_lock_one_account_at_one_ip_address_only(clinic_client, email, staff_member):
    for _ in range(5):
        attempt(clinic_client("bondi"), email, "wrong")
    assert "Too many attempts" in attempt(clinic_client("bondi"), email).content.decode()
    colleague = staff_member("bondi", "owner").email
    assert attempt(clinic_client("bondi"), colleague)["Location"] == "/"
    far_away = clinic_client("bondi").post("/login", {"login": email, "password": PASSWORD}, REMOTE_ADDR="203.0.113.9")
    assert far_away["Location"] == "/"


def test_behind_a_proxy_the_ip_address_is_the_one_the_proxy_saw(clinic_client, email, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    browser = clinic_client("bondi")
    form = {"login": email, "password": "wrong"}
    for number in range(5):
        browser.post("/login", form, headers={"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.9"})
    form["password"] = PASSWORD
    refused = browser.post("/login", form, headers={"X-Forwarded-For": "198.51.100.99, 203.0.113.9"})
    assert "Too many attempts" in refused.content.decode()
    assert browser.post("/login", form, headers={"X-Forwarded-For": "203.0.113.10"})["Location"] == "/"


def test_wrong_passwords_at_one_clinic_do_not_count_at_another(clinic_client, staff_member):
    staff_member("bondi")
    email = staff_member("harbour").email
    for _ in range(6):
        attempt(clinic_client("bondi"), email, "wrong")
    assert attempt(clinic_client("harbour"), email)["Location"] == "/"


def test_a_flood_of_forms_gets_429(clinic_client):
    browser = clinic_client("bondi")
    answers = [attempt(browser, f"robin{number}@clinic.example", "") for number in range(121)]
    assert [answer.status_code for answer in answers[119:]] == [200, 429]
    assert "Try again in five minutes" in answers[-1].content.decode()


def test_a_flood_at_one_clinic_does_not_affect_another(clinic_client, staff_member):
    email = staff_member("harbour").email
    floods = [attempt(clinic_client("bondi"), f"robin{number}@clinic.example", "wrong") for number in range(121)]
    assert floods[-1].status_code == 429
    assert attempt(clinic_client("harbour"), email)["Location"] == "/"


def test_colleagues_behind_one_ip_address_who_mistype_can_all_sign_in(clinic_client, staff_member):
    emails = [staff_member("bondi", email=f"robin{number}@clinic.example").email for number in range(5)]
    for email in emails * 4:
        assert (
            "That email or password isn&#x27;t right"
            in attempt(clinic_client("bondi"), email, "wrong").content.decode()
        )
    assert [attempt(clinic_client("bondi"), email).get("Location") for email in emails] == ["/"] * 5
