"""Error pages and banners use the clinic's own word for patient, and offer one next step."""

import html
import re
from collections.abc import Callable

import pytest
from django.test import Client

from launch.messages import BANNERS, NOT_FOUND
from sync.models import Connection, Cursor
from sync.refresh import Outcome
from tenants.context import clinic_context
from tests.launch.conftest import Cliniko
from tests.launch.views.test_patient_fresh import form_of, refresh

State = Connection.State
ASK_AN_OWNER = "Ask an owner or admin of your clinic."


@pytest.fixture
def browser(two_clinics: None, force_login: Callable[..., Client], request: pytest.FixtureRequest) -> Client:
    """A user of bondi, where patients are called clients; at harbour they aren't."""
    with clinic_context("bondi"):
        Connection.objects.update(patient_word="client")
    return force_login("bondi", role=getattr(request, "param", "reception"))


def text_of(page: str) -> str:
    return html.unescape(" ".join(re.sub("<[^>]*>", " ", page).split()))


def part(page: str, start: str, end: str) -> str:
    return page[page.index(start) :].partition(end)[0]


@pytest.mark.parametrize("browser", ["owner", "reception"], indirect=True)
@pytest.mark.parametrize("outcome", BANNERS)
def test_each_banner_has_one_next_step(browser: Client, cliniko: Cliniko, outcome: Outcome) -> None:
    form = form_of(browser.get("/patients/42/").content.decode())
    cliniko.outcome = outcome
    shown = part(refresh(browser, form).content.decode(), 'id="freshness"', "</form>")
    assert len(re.findall('class="button', shown)) + shown.count(ASK_AN_OWNER) == 1
    assert "patient" not in text_of(shown)


@pytest.mark.parametrize("browser", ["owner", "reception"], indirect=True)
@pytest.mark.parametrize("outcome", [*NOT_FOUND, Outcome.FRESH])
def test_each_explanation_has_one_next_step(browser: Client, cliniko: Cliniko, outcome: Outcome) -> None:
    cliniko.outcome = outcome
    shown = part(browser.get("/patients/77/").content.decode(), 'class="error-page', "</main>")
    assert len(re.findall('class="button', shown)) == 1
    assert "patient" not in text_of(shown).replace("/patients", "")
    assert "{" not in shown


@pytest.mark.parametrize(
    ("browser", "state", "button"),
    [
        ("owner", State.RATE_LIMITED, False),
        ("owner", State.UNREACHABLE, False),
        ("owner", State.KEY_INVALID, True),
        ("owner", State.KEY_FORBIDDEN, True),
        ("owner", State.NO_KEY, True),
        ("reception", State.KEY_INVALID, False),
        ("reception", State.RATE_LIMITED, False),
    ],
    indirect=["browser"],
)
def test_home_shows_the_mirrors_state_and_who_can_act(browser: Client, state: State, button: bool) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(state=state)
    shown = part(browser.get("/").content.decode(), "finder__notice", "</div>")
    assert ("Clinic settings" in shown) is button
    assert "patient" not in text_of(shown)


def test_the_import_notice_uses_the_clinics_word(browser: Client) -> None:
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="patients").update(imported_at=None)
    page = text_of(browser.get("/").content.decode())
    assert "Clients are being copied from Cliniko for the first time. You can already open all of them." in page
    assert "1 client imported so far" in page


def test_the_screen_of_a_client_never_says_patient(browser: Client, force_login: Callable[..., Client]) -> None:
    assert "patient" not in text_of(browser.get("/patients/42/").content.decode()).lower()
    assert "Open this patient in Cliniko" in text_of(force_login("harbour").get("/patients/42/").content.decode())


def test_the_page_for_a_link_without_an_id_uses_the_clinics_word(browser: Client) -> None:
    assert "Which client do you want to open?" in browser.get("/patients").content.decode()
