"""The button in Cliniko: its settings page, recorded clicks, and the page for a click on a wrong URL."""

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
MISTAKE = "The button&#x27;s URL in Cliniko has a mistake"
WORKS = "The button works."
CLICKED = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"}

# The requested path, the recorded kind, and the one thing to change.
WRONG_URLS = [
    ("/?patient_id=42", Kind.NO_PATH, "Add /patients to the end of the App URL."),
    ("/patient?patient_id=42", Kind.SINGULAR, "Add an s to the end of the App URL: /patients."),
    ("/patient/?patient_id=42", Kind.SINGULAR, "Add an s to the end of the App URL: /patients."),
    ("/Patients?patient_id=42", Kind.CAPITALS, "Write /patients in lower case."),
    ("/patients/open?patient_id=42", Kind.MORE_PATH, "Delete everything after /patients in the App URL."),
    ("/patients//?patient_id=42", Kind.MORE_PATH, "Delete everything after /patients in the App URL."),
    ("/patients/43/?patient_id=42", Kind.MORE_PATH, "Delete everything after /patients in the App URL."),
    ("/patients.html?patient_id=42", Kind.OTHER_PATH, "Replace everything after bondi.localhost:8000 in the App URL"),
    ("/app/patients?patient_id=42", Kind.OTHER_PATH, "Replace everything after bondi.localhost:8000 in the App URL"),
    ("/login?patient_id=42", Kind.OTHER_PATH, "Replace everything after bondi.localhost:8000 in the App URL"),
    ("/login?t=abc?patient_id=42", Kind.OTHER_PATH, "Replace everything after bondi.localhost:8000 in the App URL"),
    ("/settings/button?a=1&patient_id=42", Kind.OTHER_PATH, "Replace everything after bondi.localhost:8000"),
]
NO_VALID_ID = [
    ("/patients", Kind.NO_ID, "Delete any ? or # from the App URL"),
    ("/patients?from=cliniko?patient_id=42", Kind.NO_ID, "Delete any ? or # from the App URL"),
    ("/patients?patient_id=?patient_id=42", Kind.BAD_ID, "End the App URL with /patients, without a ?"),
    ("/patients?patient_id=", Kind.BAD_ID, "End the App URL with /patients, without a ?"),
    ("/patients?patient_id=1&patient_id=42", Kind.BAD_ID, "End the App URL with /patients, without a ?"),
]


def poll(browser: Client, *, secure: bool = False) -> str:
    """Return the part of the page that polls for a click."""
    response = browser.get("/settings/button/heard", headers={"HX-Request": "true"}, secure=secure)
    assert response.status_code == 200
    return response.content.decode()


def clicks(label: str = "bondi") -> dict[str, str]:
    with clinic_context(label):
        return {row.kind: row.user_name for row in ButtonClick.objects.select_related("user")}


def backdate(kind: Kind, by: timedelta, label: str = "bondi") -> None:
    with clinic_context(label):
        assert ButtonClick.objects.filter(kind=kind).update(clicked_at=timezone.now() - by)


def has_worked(label: str = "bondi") -> bool:
    with clinic_context(label):
        return button_clicks.has_worked()


# --- The page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_owners_and_admins_see_what_to_enter_in_cliniko(two_clinics: None, force_login: Browsers, role: str) -> None:
    page = force_login("bondi", role=role).get("/settings/button").content.decode()
    assert f'data-copy="{ADDRESS}"' in page
    assert f"<dd>{ADDRESS}</dd>" in page
    assert 'data-copy="Sidechart"' in page
    for words in ("Connected patient apps", "Add another app", "Save connected patient apps", "URL is not trusted"):
        assert words in page
    assert "No click received yet" in page
    assert "harbour" not in page


def test_the_app_name_is_configurable(connected_owner: Client, settings: Settings) -> None:
    settings.CLINIKO_APP_NAME = "Bedside"
    assert "Open in &gt; Bedside" in connected_owner.get("/settings/button").content.decode()


@pytest.mark.parametrize("path", ["/settings/button", "/settings/button/heard"])
@pytest.mark.parametrize("role", ["clinician", "reception", "readonly"])
def test_other_roles_are_refused(two_clinics: None, force_login: Browsers, path: str, role: str) -> None:
    assert force_login("bondi", role=role).get(path).status_code == 403


def test_a_click_in_cliniko_shows_that_it_works(connected_owner: Client, force_login: Browsers) -> None:
    assert WORKS not in poll(connected_owner)
    assert not has_worked()
    assert "Not tested yet" in connected_owner.get("/settings/").content.decode()
    assert force_login("bondi").get("/patients?patient_id=42", headers=CLICKED).status_code == 302
    status = poll(connected_owner)
    assert WORKS in status
    assert "<bdi>Robin Reception</bdi> opened a patient from Cliniko at " in status
    assert has_worked()
    assert "Not tested yet" not in connected_owner.get("/settings/").content.decode()


def test_it_does_not_store_the_patient(connected_owner: Client, force_login: Browsers) -> None:
    force_login("bondi").get("/patients?patient_id=1713650742029190531", headers=CLICKED)
    assert "1713650742029190531" not in poll(connected_owner)
    assert access_log("bondi") == []


def test_the_other_clinic_records_nothing(connected_owner: Client, force_login: Browsers) -> None:
    force_login("bondi").get("/patients?patient_id=42", headers=CLICKED)
    force_login("bondi").get("/patient?patient_id=42", headers=CLICKED)
    assert clicks("harbour") == {}
    assert not has_worked("harbour")
    assert "No click received yet" in poll(force_login("harbour", role="owner"))


def test_a_trailing_slash_is_fine(connected_owner: Client) -> None:
    connected_owner.get("/patients/?patient_id=42", headers=CLICKED)
    assert WORKS in poll(connected_owner)


def test_a_request_without_fetch_headers_is_a_click(connected_owner: Client) -> None:
    connected_owner.get("/patients?patient_id=42")
    assert has_worked()


@pytest.mark.parametrize("site", ["none", "same-origin", "same-site"])
def test_a_typed_url_is_not_a_click(connected_owner: Client, site: str) -> None:
    connected_owner.get("/patients?patient_id=42", headers=CLICKED | {"Sec-Fetch-Site": site})
    status = poll(connected_owner)
    assert "Robin Owner opened the button&#x27;s URL" in status
    assert "but not from a page in Cliniko" in status
    assert WORKS not in status
    assert not has_worked()


def test_a_visitors_click_does_not_show_that_it_works(connected_owner: Client, clinic_client: Browsers) -> None:
    clinic_client("bondi").get("/patients?patient_id=42", headers=CLICKED)
    status = poll(connected_owner)
    assert "Someone who isn&#x27;t signed in opened the button&#x27;s URL" in status
    assert "Sign in there, then click the button again." in status
    assert WORKS not in status
    assert not has_worked()


@pytest.mark.parametrize("headers", [{"Sec-Purpose": "prefetch"}, {"Sec-Fetch-Dest": "image"}], ids=str)
@pytest.mark.parametrize("path", ["/patients?patient_id=42", "/patient?patient_id=42", "/?patient_id=42", "/patients"])
def test_requests_that_load_no_page_are_not_recorded(
    connected_owner: Client, clinic_client: Browsers, path: str, headers: dict[str, str]
) -> None:
    connected_owner.get(path, headers=headers)
    clinic_client("bondi").get(path, headers=headers)
    connected_owner.head(path)
    connected_owner.post(path)
    assert clicks() == {}


def test_polling_returns_each_status_once(connected_owner: Client) -> None:
    assert 'hx-trigger="every 2s"' in connected_owner.get("/settings/button").content.decode()
    connected_owner.get("/patients?patient_id=42", headers=CLICKED)
    page = poll(connected_owner)
    with clinic_context("bondi"):
        stamp = button_clicks.status().stamp
    assert f'name="seen" value="{stamp}"' in page
    response = connected_owner.get("/settings/button/heard", {"seen": stamp}, headers={"HX-Request": "true"})
    assert (response.status_code, response.content) == (204, b"")
    backdate(Kind.CLICK, timedelta(seconds=30))
    assert connected_owner.get("/settings/button/heard", {"seen": stamp}).status_code == 200


def test_polling_does_not_extend_the_session(connected_owner: Client) -> None:
    connected_owner.get("/settings/button")
    long_ago = timezone.now() - timedelta(minutes=20)
    with clinic_context("bondi"):
        OpenSession.objects.update(seen_at=long_ago)
    connected_owner.get(
        "/settings/button/heard", headers={"HX-Request": "true", "X-User-Action": "0", "Sec-Fetch-Mode": "cors"}
    )
    with clinic_context("bondi"):
        assert OpenSession.objects.get().seen_at == long_ago
        OpenSession.objects.update(seen_at=timezone.now() - timedelta(minutes=31))
    assert connected_owner.get("/settings/button/heard", headers={"HX-Request": "true"}).status_code == 401


# --- Wrong URLs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "kind", "change"), WRONG_URLS, ids=[path for path, _, _ in WRONG_URLS])
def test_a_click_on_a_wrong_url_opens_no_one_and_says_what_to_change(
    connected_owner: Client, force_login: Browsers, path: str, kind: Kind, change: str
) -> None:
    response = force_login("bondi").get(path, headers=CLICKED)
    page = response.content.decode()
    assert response.status_code == 404
    assert MISTAKE in page
    assert f'<code class="mono">{ADDRESS}</code>' in page
    assert change in page
    assert "Lindqvist" not in page
    assert "patient_id" not in page
    assert clicks() == {kind: "Robin Reception"}
    status = poll(connected_owner)
    assert "Robin Reception clicked at " in status
    assert change in status
    assert not has_worked()
    assert access_log("bondi") == []


@pytest.mark.parametrize(("path", "kind", "change"), WRONG_URLS, ids=[path for path, _, _ in WRONG_URLS])
def test_visitors_learn_only_that_the_host_is_a_clinic(
    connected_owner: Client, clinic_client: Browsers, path: str, kind: Kind, change: str
) -> None:
    response = clinic_client("bondi").get(path, headers=CLICKED)
    page = response.content.decode()
    assert response.status_code == 404
    assert ADDRESS in page
    assert change in page
    assert "/settings/button" not in page
    assert not response.cookies
    assert clicks() == {kind: "Someone"}


def test_visitors_learn_nothing_about_any_id_on_a_wrong_url(two_clinics: None, clinic_client: Browsers) -> None:
    pages = {clinic_client("bondi").get(f"/patient?patient_id={each}").content for each in ("42", "99", "9" * 20)}
    assert len(pages) == 1


@pytest.mark.parametrize(("path", "kind", "change"), NO_VALID_ID, ids=[path for path, _, _ in NO_VALID_ID])
@pytest.mark.parametrize("signed_in", [True, False])
def test_a_click_without_a_valid_id_is_explained(
    connected_owner: Client, clinic_client: Browsers, path: str, kind: Kind, change: str, signed_in: bool
) -> None:
    response = (connected_owner if signed_in else clinic_client("bondi")).get(path, headers=CLICKED)
    assert response.status_code == 400
    assert "Which patient do you want to open?" in response.content.decode()
    assert clicks() == {kind: "Robin Owner" if signed_in else "Someone"}
    assert change in poll(connected_owner)


def test_a_bookmark_without_an_id_is_not_a_click(connected_owner: Client) -> None:
    connected_owner.get("/patients", headers=CLICKED | {"Sec-Fetch-Site": "none"})
    assert clicks() == {}


@pytest.mark.parametrize("path", ["/patient", "/nowhere", "/patients/open", "/patients/0/", "/nowhere?id=42"])
def test_an_unknown_url_without_an_id_is_not_a_click(connected_owner: Client, path: str) -> None:
    response = connected_owner.get(path, headers=CLICKED)
    assert response.status_code == 404
    assert "Page not found" in response.content.decode()
    assert clicks() == {}


def test_an_app_url_with_one_patients_id_opens_no_one(connected_owner: Client) -> None:
    response = connected_owner.get("/patients/42/?patient_id=43", headers=CLICKED)
    assert response.status_code == 404
    assert "Lindqvist" not in response.content.decode()


def test_owners_get_a_link_to_the_settings_page(connected_owner: Client) -> None:
    assert 'href="/settings/button"' in connected_owner.get("/patient?patient_id=42").content.decode()
    assert 'href="/settings/button"' in connected_owner.get("/patients?patient_id=x").content.decode()


def test_a_working_click_hides_earlier_mistakes_but_not_later_ones(connected_owner: Client) -> None:
    connected_owner.get("/patient?patient_id=42", headers=CLICKED)
    connected_owner.get("/patients?patient_id=42", headers=CLICKED)
    status = poll(connected_owner)
    assert WORKS in status
    assert "Add an s to the end" not in status
    backdate(Kind.CLICK, timedelta(minutes=5))
    status = poll(connected_owner)
    assert "Add an s to the end" in status
    assert "opened a patient from Cliniko" in status
    assert WORKS not in status


def test_only_the_latest_mistake_is_shown(connected_owner: Client) -> None:
    connected_owner.get("/patient?patient_id=42", headers=CLICKED)
    backdate(Kind.SINGULAR, timedelta(minutes=1))
    connected_owner.get("/?patient_id=42", headers=CLICKED)
    status = poll(connected_owner)
    assert "Add /patients to the end" in status
    assert "Add an s to the end" not in status


def test_a_typed_url_hides_no_mistake(connected_owner: Client) -> None:
    connected_owner.get("/patient?patient_id=42", headers=CLICKED)
    backdate(Kind.SINGULAR, timedelta(minutes=1))
    connected_owner.get("/patients?patient_id=42", headers=CLICKED | {"Sec-Fetch-Site": "none"})
    assert "Add an s to the end" in poll(connected_owner)


def test_old_misses_are_not_shown(connected_owner: Client, clinic_client: Browsers) -> None:
    connected_owner.get("/patient?patient_id=42", headers=CLICKED)
    clinic_client("bondi").get("/patients?patient_id=42", headers=CLICKED)
    backdate(Kind.SIGNED_OUT, timedelta(minutes=11))
    status = poll(connected_owner)
    assert "Add an s to the end" in status
    assert "isn&#x27;t signed in" not in status
    backdate(Kind.SINGULAR, timedelta(hours=25))
    assert "No click received yet" in poll(connected_owner)


# --- The wrong host, and the wrong scheme -----------------------------------------------------------------------------


def test_http_is_recorded_before_the_redirect_to_https(connected_owner: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    response = connected_owner.get("/patients?patient_id=42")
    assert (response.status_code, response["Location"]) == (301, "https://bondi.localhost/patients?patient_id=42")
    assert set(clicks()) == {Kind.HTTP}
    assert connected_owner.get("/patients?patient_id=42", secure=True).status_code == 302
    status = poll(connected_owner, secure=True)
    assert "Start the App URL with https://." in status
    assert "opened a patient from Cliniko" in status
    assert WORKS not in status
    backdate(Kind.HTTP, timedelta(seconds=30))
    assert WORKS in poll(connected_owner, secure=True)


def test_other_pages_over_http_are_not_clicks(connected_owner: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    connected_owner.get("/login")
    assert clicks() == {}


def test_a_two_level_host_is_recorded_at_its_clinic_only(connected_owner: Client, clinic_client: Browsers) -> None:
    hosts = ("www.bondi.localhost", "a.www.bondi.localhost", "www.nope.localhost")
    responses = [Client(HTTP_HOST=host).get("/patients?patient_id=42") for host in hosts]
    assert {response.status_code for response in responses} == {404}
    assert len({response.content for response in responses}) == 1
    assert set(clicks()) == {Kind.TWO_LEVELS}
    assert clicks("harbour") == {}
    status = poll(connected_owner)
    assert "one name too many before localhost" in status
    assert "Start the App URL with http://bondi." in status


def test_a_two_level_host_of_a_suspended_clinic_is_not_recorded(connected_owner: Client) -> None:
    Clinic.objects.filter(label="bondi").update(state=Clinic.State.SUSPENDED)
    assert Client(HTTP_HOST="www.bondi.localhost").get("/patients?patient_id=42").status_code == 404
    assert clicks() == {}


def test_a_two_level_host_without_an_id_is_not_a_click(connected_owner: Client) -> None:
    Client(HTTP_HOST="www.bondi.localhost").get("/")
    assert clicks() == {}


def test_a_failure_to_record_does_not_change_the_neutral_page(
    connected_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("launch.button_clicks.record_click", fail)
    response = Client(HTTP_HOST="www.bondi.localhost").get("/patients?patient_id=42")
    assert "There's no clinic at this address" in response.content.decode()


def test_a_former_name_still_opens_the_patient_and_is_shown(connected_owner: Client, bondi: Clinic) -> None:
    Domain.objects.create(domain="bondi-physio", tenant=bondi, is_primary=False)
    response = connected_owner.get("/patients?patient_id=42", headers={"Host": "bondi-physio.localhost"})
    assert response["Location"] == f"{ADDRESS}?patient_id=42"
    connected_owner.get("/patients?patient_id=42", headers=CLICKED)
    assert clicks() == {Kind.FORMER_NAME: "Someone", Kind.CLICK: "Robin Owner"}
    status = poll(connected_owner)
    assert "a former name of this clinic" in status
    assert "Start the App URL with http://bondi." in status
    assert WORKS not in status


# --- What is stored ---------------------------------------------------------------------------------------------------


def test_a_flood_of_clicks_adds_one_row_per_kind(
    connected_owner: Client, clinic_client: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = clinic_client("bondi")
    monkeypatch.setattr(
        "launch.button_clicks.COUNT_INTERVAL", timedelta(minutes=5)
    )  # a flood on a slow machine lasts longer
    with CaptureQueriesContext(connection) as captured:
        for number in range(1, 60):
            browser.get(f"/nowhere-{number}?patient_id={number}")
            browser.get(f"/patients?patient_id={number}")
    assert clicks() == {Kind.OTHER_PATH: "Someone", Kind.SIGNED_OUT: "Someone"}
    assert sum(query["sql"].startswith("INSERT") for query in captured.captured_queries) == 2


def test_a_later_click_replaces_the_first(connected_owner: Client, force_login: Browsers) -> None:
    connected_owner.get("/patients?patient_id=42", headers=CLICKED)
    force_login("bondi").get("/patients?patient_id=42", headers=CLICKED)
    assert clicks() == {Kind.CLICK: "Robin Reception"}


def test_every_click_of_staff_counts_but_not_floods_of_strangers(
    connected_owner: Client, force_login: Browsers, clinic_client: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launch.button_clicks.COUNT_INTERVAL", timedelta(minutes=5))
    for _ in range(3):
        connected_owner.get("/patients?patient_id=42", headers=CLICKED)
        clinic_client("bondi").get("/patients?patient_id=42", headers=CLICKED)
    force_login("harbour").get("/patients?patient_id=42", headers=CLICKED)
    counted = {}
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            counted[label] = dict(ButtonClick.objects.values_list("kind", "count"))
    assert counted == {"bondi": {"click": 3, "signed_out": 1}, "harbour": {"click": 1}}


def test_a_click_outlives_its_users_account(connected_owner: Client, staff_member: Callable[..., User]) -> None:
    connected_owner.get("/patients?patient_id=42", headers=CLICKED)
    with clinic_context("bondi"):
        User.objects.all().delete()
    assert clicks() == {Kind.CLICK: "Someone"}
    assert has_worked()


def test_another_cliniko_account_starts_without_clicks(connected_owner: Client) -> None:
    connected_owner.get("/patients?patient_id=42", headers=CLICKED)
    with clinic_context("bondi"):
        account_changed.send(sender=Connection)
    assert not has_worked()
