"""Sign-in in a real browser: two-step verification, several tabs, and the end of a session."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from sandbox.demo_data import Person
from tests.accounts.second_factors import totp_code
from tests.end_to_end.pages import CLEO, DOV, expect_patient, open_patient, pass_time, sign_in, sign_out
from tests.end_to_end.passkeys import add_device
from tests.end_to_end.stack import Stack, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("stack")]


@pytest.fixture
def owner(stack: Stack) -> Iterator[Person]:
    """Bondi's owner, without two-step verification before and after the test."""
    yield stack.person("bondi", "owner")
    stack.execute("bondi", "DELETE FROM mfa_authenticator")
    stack.execute("bondi", "DELETE FROM cache_entry")


def set_up_app(stack: Stack, tab: Page) -> str:
    """Set up an authenticator app and return its secret."""
    tab.goto(stack.sidechart("bondi", "/account/app"))
    expect(tab.get_by_alt_text("QR code")).to_be_visible()
    secret = tab.locator("[data-secret]").inner_text().replace(" ", "")
    tab.get_by_label("Code from the app").fill(totp_code(secret))
    tab.get_by_role("button", name="Done").click()
    expect(tab.get_by_role("listitem")).to_have_count(11)  # ten codes and a success message
    tab.get_by_role("link", name="I've saved them").click()
    expect(tab.get_by_text("10 left")).to_be_visible()
    return secret


def enter_code(stack: Stack, tab: Page, secret: str) -> None:
    stack.execute("bondi", "DELETE FROM cache_entry")  # so that the same code is accepted again
    tab.get_by_label("Code").fill(totp_code(secret))
    tab.get_by_role("button", name="Continue").click()


def test_after_a_code_from_the_app_the_patient_opens(
    stack: Stack, page: Page, patients: dict[str, str], owner: Person
) -> None:
    page.goto(stack.sidechart("bondi"))
    sign_in(page, owner)
    expect(page.get_by_role("searchbox")).to_be_visible()
    secret = set_up_app(stack, page)
    sign_out(page, owner)
    open_patient(stack, page, patients[CLEO])
    sign_in(page, owner)
    expect(page.get_by_role("heading", name="Two-step verification")).to_be_visible()
    expect(page.get_by_text("Cleo")).to_have_count(0)
    enter_code(stack, page, secret)
    expect_patient(page, CLEO)


def test_a_passkey_signs_in_without_a_password_and_as_second_factor(
    stack: Stack, page: Page, patients: dict[str, str], owner: Person
) -> None:
    add_device(page)
    page.goto(stack.sidechart("bondi", "/account/passkeys/add"))
    sign_in(page, owner)
    page.get_by_label("Name", exact=True).fill("Work laptop")
    page.get_by_role("button", name="Create passkey").click()
    page.get_by_role("link", name="I've saved them").click()
    expect(page.get_by_text("Work laptop")).to_be_visible()
    sign_out(page, owner)
    open_patient(stack, page, patients[CLEO])
    page.get_by_role("button", name="Use a passkey instead").click()
    expect_patient(page, CLEO)
    sign_out(page, owner)
    open_patient(stack, page, patients[DOV])
    sign_in(page, owner)
    page.get_by_role("button", name="Use a passkey").click()
    expect_patient(page, DOV)


def test_a_stale_passkey_page_reloads_instead_of_showing_an_error(stack: Stack, page: Page, owner: Person) -> None:
    redirect = {"location": "/account/confirm"}  # as for a user who signed in more than five minutes ago
    page.context.route("**/account/passkeys/ask", lambda route: route.fulfill(status=302, headers=redirect))
    add_device(page)
    page.goto(stack.sidechart("bondi", "/account/passkeys/add"))
    sign_in(page, owner)
    expect(page.get_by_role("button", name="Create passkey")).to_be_visible()
    with page.expect_navigation(url="**/account/passkeys/add"):
        page.get_by_role("button", name="Create passkey").click()


def test_a_passkey_of_one_clinic_is_not_offered_at_another(stack: Stack, page: Page, owner: Person) -> None:
    add_device(page)
    page.goto(stack.sidechart("bondi", "/account/passkeys/add"))
    sign_in(page, owner)
    page.get_by_role("button", name="Create passkey").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    page.goto(stack.sidechart("harbour"))
    page.get_by_role("button", name="Use a passkey instead").click()
    expect(page.get_by_text("The passkey wasn't used")).to_be_visible()


@pytest.mark.parametrize("first_to_continue", [0, 1])
def test_two_tabs_at_two_step_verification_each_open_their_own_patient(
    stack: Stack, context: BrowserContext, patients: dict[str, str], owner: Person, first_to_continue: int
) -> None:
    tab = context.new_page()
    tab.goto(stack.sidechart("bondi"))
    sign_in(tab, owner)
    expect(tab.get_by_role("searchbox")).to_be_visible()
    secret = set_up_app(stack, tab)
    sign_out(tab, owner)
    tabs = [(open_patient(stack, context.new_page(), patients[name]), name) for name in (CLEO, DOV)]
    for each, _ in tabs:
        sign_in(each, owner)
        expect(each.get_by_role("heading", name="Two-step verification")).to_be_visible()
    if first_to_continue:
        tabs.reverse()
    for each, name in tabs:
        enter_code(stack, each, secret)
        expect_patient(each, name)


def test_a_page_warns_before_the_session_ends_and_can_extend_it(stack: Stack, timed_page: Page) -> None:
    pass_time(stack, timed_page, minutes=29, seconds=20)
    warning = timed_page.get_by_role("alertdialog")
    expect(warning).to_be_visible()
    expect(warning.get_by_role("button", name="Stay signed in")).to_be_focused()
    timed_page.keyboard.press("Enter")
    expect(warning).to_be_hidden()
    pass_time(stack, timed_page, minutes=28)
    timed_page.reload()
    expect_patient(timed_page, CLEO)


def test_an_idle_page_is_cleared_and_comes_back_after_signing_in(stack: Stack, timed_page: Page) -> None:
    pass_time(stack, timed_page, minutes=31)
    expect(timed_page.get_by_role("heading", name="You've been signed out")).to_be_visible()
    assert "Marchetti" not in timed_page.content()
    expect(timed_page).to_have_title("Signed out")
    timed_page.get_by_role("link", name="Sign in").click()
    sign_in(timed_page, stack.person("bondi"))
    expect_patient(timed_page, CLEO)


def test_activity_in_one_tab_keeps_the_others_open(stack: Stack, timed_page: Page, context: BrowserContext) -> None:
    timed_page.clock.fast_forward(31 * 60 * 1000)  # only for this page: the server saw activity in another tab
    timed_page.wait_for_timeout(500)
    expect_patient(timed_page, CLEO)
    expect(timed_page.get_by_role("alertdialog")).to_be_hidden()


def test_a_session_ended_elsewhere_clears_the_page(stack: Stack, timed_page: Page) -> None:
    stack.execute("bondi", "DELETE FROM accounts_opensession")
    timed_page.clock.fast_forward(29 * 60 * 1000 + 10_000)
    expect(timed_page.get_by_role("heading", name="You've been signed out")).to_be_visible()
    assert "Marchetti" not in timed_page.content()


def test_the_back_button_shows_no_patient_after_signing_out(
    stack: Stack, page: Page, patients: dict[str, str], owner: Person
) -> None:
    open_patient(stack, page, patients[CLEO])
    sign_in(page, owner)
    expect_patient(page, CLEO)
    sign_out(page, owner)
    page.go_back()
    expect(page.get_by_role("heading", name=re.compile("signed out|Sign in"))).to_be_visible()
    assert "Marchetti" not in page.content()


def test_a_page_from_the_back_forward_cache_checks_the_session_first(
    stack: Stack, page: Page, patients: dict[str, str], owner: Person
) -> None:
    """Chrome restores some `no-store` pages, possibly after their session has ended."""
    open_patient(stack, page, patients[CLEO])
    sign_in(page, owner)
    expect_patient(page, CLEO)
    restore = "window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"
    page.evaluate(restore)
    expect_patient(page, CLEO)
    stack.execute("bondi", "DELETE FROM accounts_opensession")
    page.evaluate(restore)
    expect(page.get_by_role("heading", name="You've been signed out")).to_be_visible()
    assert "Marchetti" not in page.content()


def test_after_a_password_reset_the_patient_opens(
    stack: Stack, page: Page, patients: dict[str, str], context: BrowserContext
) -> None:
    person = stack.person("bondi", "clinician")
    open_patient(stack, page, patients[CLEO])
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill(person.email)
    page.get_by_role("button", name="Send link").click()
    expect(page.get_by_role("heading", name="Check your email")).to_be_visible()
    mails = context.new_page()
    mails.goto(mailed_link(stack))
    for label in ("New password", "New password again"):
        mails.get_by_label(label, exact=True).fill(person.password)
    mails.get_by_role("button", name="Save new password").click()
    expect(mails.get_by_role("heading", name="Your password is saved")).to_be_visible()
    page.get_by_role("link", name="Back to sign-in").click()
    sign_in(page, person)
    expect_patient(page, CLEO)


def mailed_link(stack: Stack) -> str:
    """Wait for the email with the reset link and return the link."""
    folder = stack.supervisor.logs.parents[1] / "mail"
    found: list[str] = []

    def arrived() -> bool:
        texts = [path.read_text() for path in folder.glob("*")] if folder.is_dir() else []
        found[:] = re.findall(r"^http://\S+/password/reset/key/\S+", "\n".join(texts), re.MULTILINE)
        return bool(found)

    wait_until(arrived, what="the mail with the link")
    return found[-1]
