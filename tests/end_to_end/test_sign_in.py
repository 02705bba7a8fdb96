"""Sign-in in a real browser: second steps, tabs, and pages that close themselves."""

import re
from collections.abc import Iterator
from typing import LiteralString

import psycopg
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from sandbox.demo_data import Person
from tests.accounts.second_factors import totp_code
from tests.end_to_end.passkeys import add_device
from tests.end_to_end.stack import Stack, wait_until
from tests.end_to_end.test_click import expect_patient, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("stack")]

CLEO, DOV = "Cleo Marchetti", "Dov Halloran"


@pytest.fixture(scope="module")
def people(stack: Stack) -> dict[str, str]:
    cleo = stack.store.add_patient("bondi", first_name="Cleo", last_name="Marchetti")
    dov = stack.store.add_patient("bondi", first_name="Dov", last_name="Halloran")
    return {CLEO: cleo, DOV: dov}


@pytest.fixture
def owner(stack: Stack) -> Iterator[Person]:
    """Bondi's owner, who has no second step before nor after."""
    yield stack.person("bondi", "owner")
    run(stack, "DELETE FROM mfa_authenticator")
    run(stack, "DELETE FROM cache_entry")


def run(stack: Stack, statement: LiteralString, *values: object) -> None:
    """Do this in bondi's schema, behind the application's back."""
    with psycopg.connect(stack.database, autocommit=True) as database:
        row = database.execute("SELECT schema_name FROM tenants_clinic WHERE label = 'bondi'").fetchone()
        assert row
        database.execute("SELECT set_config('search_path', %s, false)", [row[0]])
        database.execute(statement, values)


def later(stack: Stack, tab: Page, *, minutes: int, seconds: int = 0) -> None:
    """So much time passes in which nobody does anything, for the page and for the server."""
    passed = minutes * 60 + seconds
    run(stack, "UPDATE accounts_opensession SET seen_at = seen_at - make_interval(secs => %s)", passed)
    tab.clock.fast_forward(passed * 1000)


def open_patient(stack: Stack, tab: Page, patient_id: str) -> Page:
    tab.goto(stack.sidechart("bondi", f"/patients?patient_id={patient_id}"))
    return tab


def set_up_app(stack: Stack, tab: Page) -> str:
    """Set up an authenticator app and keep the recovery codes; the app's secret."""
    tab.goto(stack.sidechart("bondi", "/account/app"))
    expect(tab.get_by_alt_text("QR code")).to_be_visible()
    secret = tab.locator("[data-secret]").inner_text().replace(" ", "")
    tab.get_by_label("Code from the app").fill(totp_code(secret))
    tab.get_by_role("button", name="Done").click()
    expect(tab.get_by_role("listitem")).to_have_count(11)  # ten codes, and that it worked
    tab.get_by_role("link", name="I've saved them").click()
    expect(tab.get_by_text("10 left")).to_be_visible()
    return secret


def give_code(stack: Stack, tab: Page, secret: str) -> None:
    run(stack, "DELETE FROM cache_entry")  # a code counts once, and the next one is half a minute away
    tab.get_by_label("Code").fill(totp_code(secret))
    tab.get_by_role("button", name="Continue").click()


def sign_out(tab: Page, person: Person) -> None:
    tab.get_by_role("banner").get_by_text(person.name).click()
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_code_of_the_app_leads_on_to_the_patient(
    stack: Stack, page: Page, people: dict[str, str], owner: Person
) -> None:
    page.goto(stack.sidechart("bondi"))
    sign_in(page, owner)
    expect(page.get_by_role("searchbox")).to_be_visible()
    secret = set_up_app(stack, page)
    sign_out(page, owner)
    open_patient(stack, page, people[CLEO])
    sign_in(page, owner)
    expect(page.get_by_role("heading", name="Two-step verification")).to_be_visible()
    expect(page.get_by_text("Cleo")).to_have_count(0)
    give_code(stack, page, secret)
    expect_patient(page, CLEO)


def test_a_passkey_is_made_and_is_from_then_on_one_touch(
    stack: Stack, page: Page, people: dict[str, str], owner: Person
) -> None:
    add_device(page)
    page.goto(stack.sidechart("bondi", "/account/passkeys/add"))
    sign_in(page, owner)
    page.get_by_label("Name").fill("Work laptop")
    page.get_by_role("button", name="Create passkey").click()
    page.get_by_role("link", name="I've saved them").click()
    expect(page.get_by_text("Work laptop")).to_be_visible()
    sign_out(page, owner)
    open_patient(stack, page, people[CLEO])
    page.get_by_role("button", name="Use a passkey instead").click()
    expect_patient(page, CLEO)
    sign_out(page, owner)
    open_patient(stack, page, people[DOV])
    sign_in(page, owner)
    page.get_by_role("button", name="Use a passkey").click()
    expect_patient(page, DOV)


def test_a_page_that_was_open_for_too_long_is_loaded_again_and_not_said_to_have_failed(
    stack: Stack, page: Page, owner: Person
) -> None:
    led_away = {"location": "/account/confirm"}  # as whoever signed in more than five minutes ago is
    page.context.route("**/account/passkeys/ask", lambda route: route.fulfill(status=302, headers=led_away))
    add_device(page)
    page.goto(stack.sidechart("bondi", "/account/passkeys/add"))
    sign_in(page, owner)
    expect(page.get_by_role("button", name="Create passkey")).to_be_visible()
    with page.expect_navigation(url="**/account/passkeys/add"):
        page.get_by_role("button", name="Create passkey").click()


def test_a_passkey_of_one_clinic_is_not_offered_at_the_other(stack: Stack, page: Page, owner: Person) -> None:
    add_device(page)
    page.goto(stack.sidechart("bondi", "/account/passkeys/add"))
    sign_in(page, owner)
    page.get_by_role("button", name="Create passkey").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    page.goto(stack.sidechart("harbour"))
    page.get_by_role("button", name="Use a passkey instead").click()
    expect(page.get_by_text("The passkey was not used")).to_be_visible()


@pytest.mark.parametrize("first_to_go_on", [0, 1])
def test_two_tabs_left_at_the_second_step_each_end_on_their_own_patient(
    stack: Stack, context: BrowserContext, people: dict[str, str], owner: Person, first_to_go_on: int
) -> None:
    tab = context.new_page()
    tab.goto(stack.sidechart("bondi"))
    sign_in(tab, owner)
    expect(tab.get_by_role("searchbox")).to_be_visible()
    secret = set_up_app(stack, tab)
    sign_out(tab, owner)
    tabs = [(open_patient(stack, context.new_page(), people[name]), name) for name in (CLEO, DOV)]
    for each, _ in tabs:
        sign_in(each, owner)
        expect(each.get_by_role("heading", name="Two-step verification")).to_be_visible()
    if first_to_go_on:
        tabs.reverse()
    for each, name in tabs:
        give_code(stack, each, secret)
        expect_patient(each, name)


@pytest.fixture
def watched(stack: Stack, page: Page, people: dict[str, str]) -> Page:
    """A page on Cleo whose clock the test turns."""
    page.clock.install()
    open_patient(stack, page, people[CLEO])
    sign_in(page, stack.person("bondi"))
    expect_patient(page, CLEO)
    page.wait_for_load_state("networkidle")  # an answer still on its way would set the page's time anew
    return page


def test_a_page_warns_and_stays_for_whoever_is_there(stack: Stack, watched: Page) -> None:
    later(stack, watched, minutes=29, seconds=20)
    warning = watched.get_by_role("alertdialog")
    expect(warning).to_be_visible()
    expect(warning.get_by_role("button", name="Stay signed in")).to_be_focused()
    watched.keyboard.press("Enter")
    expect(warning).to_be_hidden()
    later(stack, watched, minutes=28)
    watched.reload()
    expect_patient(watched, CLEO)


def test_a_page_that_nobody_is_at_closes_itself_and_is_back_after_the_sign_in(stack: Stack, watched: Page) -> None:
    later(stack, watched, minutes=31)
    expect(watched.get_by_role("heading", name="You've been signed out")).to_be_visible()
    assert "Marchetti" not in watched.content()
    expect(watched).to_have_title("Signed out")
    watched.get_by_role("link", name="Sign in").click()
    sign_in(watched, stack.person("bondi"))
    expect_patient(watched, CLEO)


def test_a_tab_that_is_used_keeps_the_others_open(stack: Stack, watched: Page, context: BrowserContext) -> None:
    watched.clock.fast_forward(31 * 60 * 1000)  # for this page alone: the server has seen somebody in another tab
    watched.wait_for_timeout(500)
    expect_patient(watched, CLEO)
    expect(watched.get_by_role("alertdialog")).to_be_hidden()


def test_a_session_ended_elsewhere_closes_the_page(stack: Stack, watched: Page) -> None:
    run(stack, "DELETE FROM accounts_opensession")
    watched.clock.fast_forward(29 * 60 * 1000 + 10_000)
    expect(watched.get_by_role("heading", name="You've been signed out")).to_be_visible()
    assert "Marchetti" not in watched.content()


def test_the_back_button_shows_no_patient_after_signing_out(
    stack: Stack, page: Page, people: dict[str, str], owner: Person
) -> None:
    open_patient(stack, page, people[CLEO])
    sign_in(page, owner)
    expect_patient(page, CLEO)
    sign_out(page, owner)
    page.go_back()
    expect(page.get_by_role("heading", name=re.compile("signed out|Sign in"))).to_be_visible()
    assert "Marchetti" not in page.content()


def test_a_page_from_the_back_forward_cache_asks_first(
    stack: Stack, page: Page, people: dict[str, str], owner: Person
) -> None:
    """As Chrome does with some `no-store` pages: the document comes back alive, long after its session ended."""
    open_patient(stack, page, people[CLEO])
    sign_in(page, owner)
    expect_patient(page, CLEO)
    comes_back = "window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"
    page.evaluate(comes_back)
    expect_patient(page, CLEO)
    run(stack, "DELETE FROM accounts_opensession")
    page.evaluate(comes_back)
    expect(page.get_by_role("heading", name="You've been signed out")).to_be_visible()
    assert "Marchetti" not in page.content()


def test_a_forgotten_password_leads_to_the_patient_all_the_same(
    stack: Stack, page: Page, people: dict[str, str], context: BrowserContext
) -> None:
    person = stack.person("bondi", "clinician")
    open_patient(stack, page, people[CLEO])
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill(person.email)
    page.get_by_role("button", name="Send link").click()
    expect(page.get_by_role("heading", name="Check your email")).to_be_visible()
    mails = context.new_page()
    mails.goto(mailed_link(stack))
    for label in ("New password", "New password again"):
        mails.get_by_label(label, exact=True).fill(person.password)
    mails.get_by_role("button", name="Save new password").click()
    expect(mails.get_by_role("heading", name="You can sign in now")).to_be_visible()
    page.get_by_role("link", name="Back to sign-in").click()
    sign_in(page, person)
    expect_patient(page, CLEO)


def mailed_link(stack: Stack) -> str:
    """The reset link that the worker mailed."""
    folder = stack.supervisor.logs.parents[1] / "mail"
    found: list[str] = []

    def arrived() -> bool:
        texts = [path.read_text() for path in folder.glob("*")] if folder.is_dir() else []
        found[:] = re.findall(r"^http://\S+/password/reset/key/\S+", "\n".join(texts), re.MULTILINE)
        return bool(found)

    wait_until(arrived, what="the mail with the link")
    return found[-1]
