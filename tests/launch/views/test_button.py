"""The button in Cliniko: what its page says, what it hears, and what a click on a wrong address gets."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import OpenSession, User
from launch import button_clicks
from launch.button_clicks import Kind
from launch.models import ButtonClick
from sync.models import Connection
from sync.signals import account_changed
from tenants.context import clinic_context
from tenants.models import Clinic, Domain
from tests.launch.conftest import access_log

Browsers = Callable[..., Client]
ADDRESS = "http://bondi.localhost:8000/patients"
MISTAKE = "The button&#x27;s address in Cliniko has a mistake"
WORKS = "The button works."
CLICKED = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"}

# What the browser of the person who clicks asks for, the note it leaves, and the one thing to change.
NEAR_MISSES = [
    ("/?patient_id=42", Kind.NO_PATH, "Put /patients at the end of the App URL."),
    ("/patient?patient_id=42", Kind.SINGULAR, "Put an s at the end of the App URL: /patients."),
    ("/patient/?patient_id=42", Kind.SINGULAR, "Put an s at the end of the App URL: /patients."),
    ("/Patients?patient_id=42", Kind.CAPITALS, "Write /patients in small letters."),
    ("/patients/open?patient_id=42", Kind.MORE_PATH, "Take out whatever follows /patients in the App URL."),
    ("/patients//?patient_id=42", Kind.MORE_PATH, "Take out whatever follows /patients in the App URL."),
    ("/patients/43/?patient_id=42", Kind.MORE_PATH, "Take out whatever follows /patients in the App URL."),
    ("/patients.html?patient_id=42", Kind.OTHER_PATH, "Replace whatever follows bondi.localhost:8000 in the App URL"),
    ("/app/patients?patient_id=42", Kind.OTHER_PATH, "Replace whatever follows bondi.localhost:8000 in the App URL"),
    ("/login?patient_id=42", Kind.OTHER_PATH, "Replace whatever follows bondi.localhost:8000 in the App URL"),
    ("/login?t=abc?patient_id=42", Kind.OTHER_PATH, "Replace whatever follows bondi.localhost:8000 in the App URL"),
    ("/settings/button?a=1&patient_id=42", Kind.OTHER_PATH, "Replace whatever follows bondi.localhost:8000"),
]
NOBODY_NAMED = [
    ("/patients", Kind.NO_ID, "Take any ? or # out of the App URL"),
    ("/patients?from=cliniko?patient_id=42", Kind.NO_ID, "Take any ? or # out of the App URL"),
    ("/patients?patient_id=?patient_id=42", Kind.BAD_ID, "Let the App URL end with /patients, without a ?"),
    ("/patients?patient_id=", Kind.BAD_ID, "Let the App URL end with /patients, without a ?"),
    ("/patients?patient_id=1&patient_id=42", Kind.BAD_ID, "Let the App URL end with /patients, without a ?"),
]


@pytest.fixture
def owner(two_clinics: None, force_login: Browsers) -> Client:
    with clinic_context("bondi"):
        Connection.objects.update(shard="au1")
    return force_login("bondi", role="owner")


def listen(browser: Client, *, secure: bool = False) -> str:
    """The part of the page that listens, asked anew."""
    answer = browser.get("/settings/button/heard", headers={"HX-Request": "true"}, secure=secure)
    assert answer.status_code == 200
    return answer.content.decode()


def notes(label: str = "bondi") -> dict[str, str]:
    with clinic_context(label):
        return {row.kind: row.name for row in ButtonClick.objects.select_related("who")}


def age(kind: Kind, by: timedelta, label: str = "bondi") -> None:
    with clinic_context(label):
        assert ButtonClick.objects.filter(kind=kind).update(at=timezone.now() - by)


def works(label: str = "bondi") -> bool:
    with clinic_context(label):
        return button_clicks.confirmed()


# --- The page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_owners_and_admins_read_what_to_enter_in_cliniko(two_clinics: None, force_login: Browsers, role: str) -> None:
    page = force_login("bondi", role=role).get("/settings/button").content.decode()
    assert f'data-copy="{ADDRESS}"' in page
    assert f"<dd>{ADDRESS}</dd>" in page
    assert 'data-copy="Sidechart"' in page
    for words in ("Connected patient apps", "Add another app", "Save connected patient apps", "URL is not trusted"):
        assert words in page
    assert "No click received yet" in page
    assert "harbour" not in page


def test_the_name_is_the_one_that_cliniko_approved(owner: Client, settings: Settings) -> None:
    settings.CLINIKO_APP_NAME = "Bedside"
    assert "Open in &gt; Bedside" in owner.get("/settings/button").content.decode()


@pytest.mark.parametrize("path", ["/settings/button", "/settings/button/heard"])
@pytest.mark.parametrize("role", ["clinician", "reception", "readonly"])
def test_others_are_told_that_it_is_not_for_their_role(
    two_clinics: None, force_login: Browsers, path: str, role: str
) -> None:
    assert force_login("bondi", role=role).get(path).status_code == 403


def test_a_click_in_cliniko_turns_it_green(owner: Client, force_login: Browsers) -> None:
    assert WORKS not in listen(owner)
    assert not works()
    assert "Not clicked yet" in owner.get("/settings/").content.decode()
    assert force_login("bondi").get("/patients?patient_id=42", headers=CLICKED).status_code == 302
    told = listen(owner)
    assert WORKS in told
    assert "<bdi>Robin Reception</bdi> opened a patient from Cliniko at " in told
    assert works()
    assert "Not clicked yet" not in owner.get("/settings/").content.decode()


def test_it_says_nothing_of_the_patient(owner: Client, force_login: Browsers) -> None:
    force_login("bondi").get("/patients?patient_id=1713650742029190531", headers=CLICKED)
    assert "1713650742029190531" not in listen(owner)
    assert access_log("bondi") == []


def test_the_other_clinic_hears_nothing(owner: Client, force_login: Browsers) -> None:
    force_login("bondi").get("/patients?patient_id=42", headers=CLICKED)
    force_login("bondi").get("/patient?patient_id=42", headers=CLICKED)
    assert notes("harbour") == {}
    assert not works("harbour")
    assert "No click received yet" in listen(force_login("harbour", role="owner"))


def test_a_slash_at_the_end_is_fine(owner: Client) -> None:
    owner.get("/patients/?patient_id=42", headers=CLICKED)
    assert WORKS in listen(owner)


def test_a_browser_that_tells_nothing_of_itself_is_taken_at_its_word(owner: Client) -> None:
    owner.get("/patients?patient_id=42")
    assert works()


@pytest.mark.parametrize("site", ["none", "same-origin", "same-site"])
def test_an_address_that_was_typed_is_no_click(owner: Client, site: str) -> None:
    owner.get("/patients?patient_id=42", headers=CLICKED | {"Sec-Fetch-Site": site})
    told = listen(owner)
    assert "Robin Owner opened the button&#x27;s address" in told
    assert "but not from a page of Cliniko" in told
    assert WORKS not in told
    assert not works()


def test_a_visitors_click_has_arrived_and_proves_nothing_yet(owner: Client, clinic_client: Browsers) -> None:
    clinic_client("bondi").get("/patients?patient_id=42", headers=CLICKED)
    told = listen(owner)
    assert "Somebody who is not signed in opened the button&#x27;s address" in told
    assert "Sign in there, then click the button once more." in told
    assert WORKS not in told
    assert not works()


@pytest.mark.parametrize("headers", [{"Sec-Purpose": "prefetch"}, {"Sec-Fetch-Dest": "image"}], ids=str)
@pytest.mark.parametrize("path", ["/patients?patient_id=42", "/patient?patient_id=42", "/?patient_id=42", "/patients"])
def test_what_nobody_looks_at_is_not_noted(
    owner: Client, clinic_client: Browsers, path: str, headers: dict[str, str]
) -> None:
    owner.get(path, headers=headers)
    clinic_client("bondi").get(path, headers=headers)
    owner.head(path)
    owner.post(path)
    assert notes() == {}


def test_it_is_asked_again_and_again_and_tells_each_thing_once(owner: Client) -> None:
    assert 'hx-trigger="every 2s"' in owner.get("/settings/button").content.decode()
    owner.get("/patients?patient_id=42", headers=CLICKED)
    page = listen(owner)
    with clinic_context("bondi"):
        stamp = button_clicks.heard().stamp
    assert f'name="seen" value="{stamp}"' in page
    answer = owner.get("/settings/button/heard", {"told": stamp}, headers={"HX-Request": "true"})
    assert (answer.status_code, answer.content) == (204, b"")
    age(Kind.CLICK, timedelta(seconds=30))
    assert owner.get("/settings/button/heard", {"told": stamp}).status_code == 200


def test_listening_keeps_no_session_open(owner: Client) -> None:
    owner.get("/settings/button")
    long_ago = timezone.now() - timedelta(minutes=20)
    with clinic_context("bondi"):
        OpenSession.objects.update(seen_at=long_ago)
    owner.get("/settings/button/heard", headers={"HX-Request": "true", "X-User-Action": "0", "Sec-Fetch-Mode": "cors"})
    with clinic_context("bondi"):
        assert OpenSession.objects.get().seen_at == long_ago
        OpenSession.objects.update(seen_at=timezone.now() - timedelta(minutes=31))
    assert owner.get("/settings/button/heard", headers={"HX-Request": "true"}).status_code == 401


# --- Near misses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "kind", "change"), NEAR_MISSES, ids=[path for path, _, _ in NEAR_MISSES])
def test_a_click_on_a_wrong_address_opens_nobody_and_says_what_to_change(
    owner: Client, force_login: Browsers, path: str, kind: Kind, change: str
) -> None:
    answer = force_login("bondi").get(path, headers=CLICKED)
    page = answer.content.decode()
    assert answer.status_code == 404
    assert MISTAKE in page
    assert f'<code class="mono">{ADDRESS}</code>' in page
    assert change in page
    assert "Lindqvist" not in page
    assert "patient_id" not in page
    assert notes() == {kind: "Robin Reception"}
    told = listen(owner)
    assert "Robin Reception clicked at " in told
    assert change in told
    assert not works()
    assert access_log("bondi") == []


@pytest.mark.parametrize(("path", "kind", "change"), NEAR_MISSES, ids=[path for path, _, _ in NEAR_MISSES])
def test_visitors_are_told_no_more_than_where_they_are(
    owner: Client, clinic_client: Browsers, path: str, kind: Kind, change: str
) -> None:
    answer = clinic_client("bondi").get(path, headers=CLICKED)
    page = answer.content.decode()
    assert answer.status_code == 404
    assert ADDRESS in page
    assert change in page
    assert "/settings/button" not in page
    assert not answer.cookies
    assert notes() == {kind: "Somebody"}


def test_visitors_learn_nothing_about_any_id_on_a_wrong_address(two_clinics: None, clinic_client: Browsers) -> None:
    pages = {clinic_client("bondi").get(f"/patient?patient_id={each}").content for each in ("42", "99", "9" * 20)}
    assert len(pages) == 1


@pytest.mark.parametrize(("path", "kind", "change"), NOBODY_NAMED, ids=[path for path, _, _ in NOBODY_NAMED])
@pytest.mark.parametrize("signed_in", [True, False])
def test_a_click_that_names_nobody_is_told(
    owner: Client, clinic_client: Browsers, path: str, kind: Kind, change: str, signed_in: bool
) -> None:
    answer = (owner if signed_in else clinic_client("bondi")).get(path, headers=CLICKED)
    assert answer.status_code == 400
    assert "Which patient was this about?" in answer.content.decode()
    assert notes() == {kind: "Robin Owner" if signed_in else "Somebody"}
    assert change in listen(owner)


def test_the_bare_address_as_a_bookmark_is_no_click(owner: Client) -> None:
    owner.get("/patients", headers=CLICKED | {"Sec-Fetch-Site": "none"})
    assert notes() == {}


@pytest.mark.parametrize("path", ["/patient", "/nowhere", "/patients/open", "/patients/0/", "/nowhere?id=42"])
def test_an_address_without_a_page_is_no_click(owner: Client, path: str) -> None:
    answer = owner.get(path, headers=CLICKED)
    assert answer.status_code == 404
    assert "Page not found" in answer.content.decode()
    assert notes() == {}


def test_an_address_of_one_patient_in_cliniko_shows_that_patient_to_nobody(owner: Client) -> None:
    answer = owner.get("/patients/42/?patient_id=43", headers=CLICKED)
    assert answer.status_code == 404
    assert "Lindqvist" not in answer.content.decode()


def test_owners_are_led_from_a_wrong_address_to_the_right_one(owner: Client) -> None:
    assert 'href="/settings/button"' in owner.get("/patient?patient_id=42").content.decode()
    assert 'href="/settings/button"' in owner.get("/patients?patient_id=x").content.decode()


def test_a_right_click_is_the_end_of_a_mistake_and_a_later_mistake_is_told_beside_it(owner: Client) -> None:
    owner.get("/patient?patient_id=42", headers=CLICKED)
    owner.get("/patients?patient_id=42", headers=CLICKED)
    told = listen(owner)
    assert WORKS in told
    assert "Put an s at the end" not in told
    age(Kind.CLICK, timedelta(minutes=5))
    told = listen(owner)
    assert "Put an s at the end" in told
    assert "opened a patient from Cliniko" in told
    assert WORKS not in told


def test_the_latest_mistake_is_the_one_to_mend(owner: Client) -> None:
    owner.get("/patient?patient_id=42", headers=CLICKED)
    age(Kind.SINGULAR, timedelta(minutes=1))
    owner.get("/?patient_id=42", headers=CLICKED)
    told = listen(owner)
    assert "Put /patients at the end" in told
    assert "Put an s at the end" not in told


def test_an_address_that_was_typed_mends_no_mistake(owner: Client) -> None:
    owner.get("/patient?patient_id=42", headers=CLICKED)
    age(Kind.SINGULAR, timedelta(minutes=1))
    owner.get("/patients?patient_id=42", headers=CLICKED | {"Sec-Fetch-Site": "none"})
    assert "Put an s at the end" in listen(owner)


def test_old_misses_are_forgotten(owner: Client, clinic_client: Browsers) -> None:
    owner.get("/patient?patient_id=42", headers=CLICKED)
    clinic_client("bondi").get("/patients?patient_id=42", headers=CLICKED)
    age(Kind.SIGNED_OUT, timedelta(minutes=11))
    told = listen(owner)
    assert "Put an s at the end" in told
    assert "not signed in" not in told
    age(Kind.SINGULAR, timedelta(hours=25))
    assert "No click received yet" in listen(owner)


# --- The wrong host, and the wrong scheme -----------------------------------------------------------------------------


def test_http_is_noted_before_the_browser_is_sent_on_to_https(owner: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    answer = owner.get("/patients?patient_id=42")
    assert (answer.status_code, answer["Location"]) == (301, "https://bondi.localhost/patients?patient_id=42")
    assert set(notes()) == {Kind.HTTP}
    assert owner.get("/patients?patient_id=42", secure=True).status_code == 302
    told = listen(owner, secure=True)
    assert "Begin the App URL with https://." in told
    assert "opened a patient from Cliniko" in told
    assert WORKS not in told
    age(Kind.HTTP, timedelta(seconds=30))
    assert WORKS in listen(owner, secure=True)


def test_other_pages_over_http_are_no_clicks(owner: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    owner.get("/login")
    assert notes() == {}


def test_a_host_of_two_levels_is_noted_at_the_clinic_and_told_to_nobody_else(
    owner: Client, clinic_client: Browsers
) -> None:
    hosts = ("www.bondi.localhost", "a.www.bondi.localhost", "www.nope.localhost")
    astray = [Client(HTTP_HOST=host).get("/patients?patient_id=42") for host in hosts]
    assert {answer.status_code for answer in astray} == {404}
    assert len({answer.content for answer in astray}) == 1
    assert set(notes()) == {Kind.TWO_LEVELS}
    assert notes("harbour") == {}
    told = listen(owner)
    assert "one name too many before localhost" in told
    assert "Let the App URL begin with http://bondi." in told


def test_a_host_of_two_levels_at_a_clinic_that_rests_is_not_noted(owner: Client) -> None:
    Clinic.objects.filter(label="bondi").update(state=Clinic.State.SUSPENDED)
    assert Client(HTTP_HOST="www.bondi.localhost").get("/patients?patient_id=42").status_code == 404
    assert notes() == {}


def test_two_levels_without_a_patient_are_no_click(owner: Client) -> None:
    Client(HTTP_HOST="www.bondi.localhost").get("/")
    assert notes() == {}


def test_a_note_that_fails_changes_nothing_of_the_neutral_page(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("launch.button_clicks.note", fail)
    answer = Client(HTTP_HOST="www.bondi.localhost").get("/patients?patient_id=42")
    assert "There's no clinic at this address" in answer.content.decode()


def test_a_name_that_the_clinic_had_before_still_leads_to_the_patient_and_is_told(owner: Client, bondi: Clinic) -> None:
    Domain.objects.create(domain="bondi-physio", tenant=bondi, is_primary=False)
    answer = owner.get("/patients?patient_id=42", headers={"Host": "bondi-physio.localhost"})
    assert answer["Location"] == f"{ADDRESS}?patient_id=42"
    owner.get("/patients?patient_id=42", headers=CLICKED)
    assert notes() == {Kind.FORMER_NAME: "Somebody", Kind.CLICK: "Robin Owner"}
    told = listen(owner)
    assert "a name that this clinic had before" in told
    assert "Let the App URL begin with http://bondi." in told
    assert WORKS not in told


# --- What is kept -----------------------------------------------------------------------------------------------------


def test_a_flood_of_misses_grows_nothing_and_writes_once(
    owner: Client, clinic_client: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = clinic_client("bondi")
    monkeypatch.setattr(
        "launch.button_clicks.NOTE_INTERVAL", timedelta(minutes=5)
    )  # a flood on a slow machine lasts longer
    with CaptureQueriesContext(connection) as asked:
        for number in range(1, 60):
            browser.get(f"/nowhere-{number}?patient_id={number}")
            browser.get(f"/patients?patient_id={number}")
    assert notes() == {Kind.OTHER_PATH: "Somebody", Kind.SIGNED_OUT: "Somebody"}
    assert sum(query["sql"].startswith("INSERT") for query in asked.captured_queries) == 2


def test_a_second_click_later_takes_the_place_of_the_first(owner: Client, force_login: Browsers) -> None:
    owner.get("/patients?patient_id=42", headers=CLICKED)
    force_login("bondi").get("/patients?patient_id=42", headers=CLICKED)
    assert notes() == {Kind.CLICK: "Robin Reception"}


def test_the_clicks_of_staff_count_one_by_one_and_floods_of_strangers_do_not(
    owner: Client, force_login: Browsers, clinic_client: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launch.button_clicks.NOTE_INTERVAL", timedelta(minutes=5))
    for _ in range(3):
        owner.get("/patients?patient_id=42", headers=CLICKED)
        clinic_client("bondi").get("/patients?patient_id=42", headers=CLICKED)
    force_login("harbour").get("/patients?patient_id=42", headers=CLICKED)
    counted = {}
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            counted[label] = dict(ButtonClick.objects.values_list("kind", "times"))
    assert counted == {"bondi": {"click": 3, "signed_out": 1}, "harbour": {"click": 1}}


def test_a_click_outlives_the_account_of_who_made_it(owner: Client, staff_member: Callable[..., User]) -> None:
    owner.get("/patients?patient_id=42", headers=CLICKED)
    with clinic_context("bondi"):
        User.objects.all().delete()
    assert notes() == {Kind.CLICK: "Somebody"}
    assert works()


def test_another_cliniko_account_has_no_button_yet(owner: Client) -> None:
    owner.get("/patients?patient_id=42", headers=CLICKED)
    with clinic_context("bondi"):
        account_changed.send(sender=Connection)
    assert not works()
