"""Session limits, what extends a session, and who may end it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import OpenSession, SecurityPolicy, User
from accounts.sessions import browser_name
from tenants.context import clinic_context
from tests.conftest import PASSWORD

PATIENT_URL = "/patients/42/"
SignIn = Callable[..., Client]


def age(label: str = "bondi", **by: timedelta) -> None:
    """Pretend that a clinic's sessions were last seen, or started, this long ago."""
    now = timezone.now()
    with clinic_context(label):
        OpenSession.objects.update(**{f"{name}_at": now - ago for name, ago in by.items()})


def set_limits(label: str = "bondi", **limits: int) -> None:
    with clinic_context(label):
        SecurityPolicy.objects.update_or_create(id=1, defaults=limits)


def is_open(browser: Client) -> bool:
    return browser.get(PATIENT_URL, headers={"X-User-Action": "0"}).status_code == 200


@pytest.mark.parametrize(
    ("idle", "hours", "seen", "began", "lasts"),
    [
        (30, 12, 29, 29, True),
        (30, 12, 31, 31, False),
        (5, 12, 6, 6, False),
        (60, 12, 59, 59, True),
        (30, 12, 1, 12 * 60 - 1, True),
        (30, 12, 1, 12 * 60 + 1, False),
        (30, 24, 1, 23 * 60, True),
        (30, 1, 1, 61, False),
    ],
)
def test_a_session_ends_after_idle_minutes_and_absolute_hours(
    sign_in: SignIn, idle: int, hours: int, seen: int, began: int, lasts: bool
) -> None:
    browser = sign_in("bondi")
    set_limits(idle_minutes=idle, absolute_hours=hours)
    age(seen=timedelta(minutes=seen), started=timedelta(minutes=began))
    assert is_open(browser) == lasts


def test_each_clinic_has_its_own_limits(sign_in: SignIn) -> None:
    at_bondi, at_harbour = sign_in("bondi"), sign_in("harbour")
    set_limits("bondi", idle_minutes=5)
    for label in ("bondi", "harbour"):
        age(label, seen=timedelta(minutes=10))
    assert not is_open(at_bondi)
    assert is_open(at_harbour)


EXTENDS: list[tuple[str, dict[str, str]]] = [
    ("GET", {}),
    ("GET", {"Sec-Fetch-Mode": "navigate"}),
    ("POST", {"Sec-Fetch-Mode": "navigate"}),
    ("POST", {"HX-Request": "true", "X-User-Action": "1", "Sec-Fetch-Mode": "cors"}),
]
DOES_NOT_EXTEND: list[tuple[str, dict[str, str]]] = [
    ("GET", {"HX-Request": "true"}),
    ("POST", {"HX-Request": "true"}),
    ("POST", {"HX-Request": "true", "X-User-Action": "0"}),
    ("GET", {"X-User-Action": "0"}),
    ("GET", {"Sec-Fetch-Mode": "cors"}),
    ("GET", {"Sec-Fetch-Mode": "navigate", "Sec-Purpose": "prefetch"}),
]


@pytest.mark.parametrize(
    ("method", "headers", "extends"), [(*each, True) for each in EXTENDS] + [(*each, False) for each in DOES_NOT_EXTEND]
)
def test_only_user_activity_extends_a_session(
    sign_in: SignIn, method: str, headers: dict[str, str], extends: bool
) -> None:
    browser = sign_in("bondi")
    for _ in range(3):
        age(seen=timedelta(minutes=20))
        browser.generic(method, "/search", headers=headers)
    age(started=timedelta(minutes=60))
    with clinic_context("bondi"):
        seen = OpenSession.objects.get().seen_at
    assert (timezone.now() - seen < timedelta(minutes=1)) == extends


def test_a_page_that_keeps_polling_is_still_signed_out(sign_in: SignIn) -> None:
    browser = sign_in("bondi")
    start = timezone.now()
    for minutes in range(1, 30, 4):
        with clinic_context("bondi"):
            OpenSession.objects.update(seen_at=start - timedelta(minutes=minutes))
        answer = browser.post("/search", headers={"HX-Request": "true"})
        assert answer.status_code == 200
        assert int(answer["X-Session-Seconds"]) <= (30 - minutes) * 60
    age(seen=timedelta(minutes=30))
    answer = browser.post("/search", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert "X-Session-Seconds" not in answer


def test_signing_in_after_a_timeout_leads_back_to_the_patient(
    sign_in: SignIn, staff_member: Callable[..., User]
) -> None:
    browser = sign_in("bondi")
    age(seen=timedelta(hours=1))
    ticket = browser.get(PATIENT_URL)["Location"].partition("t=")[2]
    again = {"login": staff_member("bondi").email, "password": PASSWORD, "t": ticket}
    assert browser.post("/login", again)["Location"] == PATIENT_URL


def test_a_form_sent_after_a_timeout_leads_back_to_its_page(csrf_client: Any, sign_in: SignIn) -> None:
    signed_in, browser = sign_in("bondi"), csrf_client("bondi")
    browser.cookies["sessionid"] = signed_in.cookies["sessionid"].value
    age(seen=timedelta(hours=1))
    answer = browser.post("/search", headers={"Referer": "http://bondi.localhost/patients/42/"})
    assert answer["Location"].startswith("/login?t=")
    elsewhere = browser.post("/search", headers={"Referer": "http://evil.example/patients/42/"})
    assert elsewhere.status_code == 403


# --- The session endpoint --------------------------------------------------------------------------------------------


def test_the_page_knows_how_long_its_session_lasts(sign_in: SignIn) -> None:
    browser = sign_in("bondi")
    with clinic_context("bondi"):
        number = OpenSession.objects.get().pk
    page = browser.get("/").content.decode()
    assert f'data-session="{number}"' in page
    assert 'data-session-seconds="1800"' in page or 'data-session-seconds="1799"' in page


def test_asking_how_long_does_not_extend_and_staying_does(sign_in: SignIn) -> None:
    browser = sign_in("bondi")
    age(seen=timedelta(minutes=29, seconds=30))
    asked = browser.get("/session", headers={"X-User-Action": "0"})
    assert 0 < asked.json()["seconds"] <= 30
    stayed = browser.post("/session", headers={"X-User-Action": "1"})
    assert stayed.json()["session"] == asked.json()["session"]
    assert stayed.json()["seconds"] > 29 * 60
    age(seen=timedelta(minutes=30))
    for answer in (browser.get("/session"), browser.post("/session")):
        assert (answer.status_code, answer.json()) == (401, {})


def test_a_visitor_has_no_session(clinic_client: Any) -> None:
    assert clinic_client("bondi").get("/session").status_code == 401


# --- Ending sessions -------------------------------------------------------------------------------------------------


def session_ids(email: str) -> list[int]:
    with clinic_context("bondi"):
        return list(OpenSession.objects.filter(user__email=email).order_by("pk").values_list("pk", flat=True))


def test_users_end_their_own_sessions_one_by_one_or_all_others(
    sign_in: SignIn, staff_member: Callable[..., User]
) -> None:
    here, there, elsewhere = (sign_in("bondi") for _ in range(3))
    _, second, _ = session_ids(staff_member("bondi").email)
    page = here.get("/account/").content.decode()
    assert page.count("This device") == 1
    assert page.count("last seen") == 3
    here.post(f"/account/sessions/{second}/end")
    assert [is_open(browser) for browser in (here, there, elsewhere)] == [True, False, True]
    here.post("/account/sessions/end-others")
    assert [is_open(browser) for browser in (here, elsewhere)] == [True, False]


def test_users_cannot_end_a_colleagues_session(sign_in: SignIn, staff_member: Callable[..., User]) -> None:
    mine, theirs = sign_in("bondi"), sign_in("bondi", "owner")
    (number,) = session_ids(staff_member("bondi", "owner").email)
    mine.post(f"/account/sessions/{number}/end")
    mine.post("/account/sessions/end-others")
    assert is_open(theirs)


def test_a_session_with_the_same_id_at_another_clinic_stays_open(sign_in: SignIn) -> None:
    at_bondi, at_harbour = sign_in("bondi"), sign_in("harbour")
    with clinic_context("bondi"):
        OpenSession.objects.all().delete()
    assert not is_open(at_bondi)
    assert is_open(at_harbour)


def test_managers_sign_a_user_out_everywhere(sign_in: SignIn, staff_member: Callable[..., User]) -> None:
    theirs = [sign_in("bondi"), sign_in("bondi")]
    number = staff_member("bondi").pk
    admin = sign_in("bondi", "admin")
    assert sign_in("bondi", "clinician").post(f"/settings/security/people/{number}/end-sessions").status_code == 403
    assert admin.post(f"/settings/security/people/{number}/end-sessions")["Location"] == "/settings/security"
    assert [is_open(browser) for browser in theirs] == [False, False]
    assert is_open(admin)


def test_signing_out_deletes_the_session(sign_in: SignIn, staff_member: Callable[..., User]) -> None:
    browser = sign_in("bondi")
    browser.post("/logout")
    assert session_ids(staff_member("bondi").email) == []


def test_a_new_password_ends_all_other_sessions(sign_in: SignIn, staff_member: Callable[..., User]) -> None:
    here, there = sign_in("bondi"), sign_in("bondi")
    new = {"oldpassword": PASSWORD, "password1": "a longer horse 43", "password2": "a longer horse 43"}
    here.post("/password/change/", new)
    assert len(session_ids(staff_member("bondi").email)) == 1
    assert [is_open(here), is_open(there)] == [True, False]


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0 Safari/537.36 Edg/131.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/17.4 Safari/605.1.15", "Safari on Mac"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) Version/17.4 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux"),
        ("curl/8", "Browser"),
        ("", "Browser"),
    ],
)
def test_the_browser_has_a_recognisable_name(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name
