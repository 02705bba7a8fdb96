"""The button's page listens in one tab while somebody clicks in Cliniko in another."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from sandbox.cliniko.data.accounts import ConnectedApp
from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("stack")]

Click = Callable[[str], Page]


@pytest.fixture
def patient(stack: Stack) -> str:
    return stack.store.add_patient("bondi", first_name="Ada", last_name="Lindqvist")


@pytest.fixture
def click_button(stack: Stack, context: BrowserContext, patient: str) -> Iterator[Click]:
    """`click_button("/patients")`: with this path in Cliniko's App URL, choose Open in > Sidechart; the new tab."""
    before = stack.store.apps("bondi")
    stack.rows("bondi", "DELETE FROM launch_buttonclick RETURNING kind")

    def click(path: str) -> Page:
        stack.store.connect_apps("bondi", [ConnectedApp("Sidechart", stack.sidechart("bondi", path))])
        cliniko = context.new_page()
        cliniko.goto(stack.cliniko("bondi", f"/patients/{patient}"))
        cliniko.get_by_role("button", name="Open in").click()
        with context.expect_page() as opened:
            cliniko.get_by_role("link", name="Sidechart").click()
        return opened.value

    yield click
    stack.store.connect_apps("bondi", list(before))


@pytest.fixture
def listening(stack: Stack, page: Page, click_button: Click) -> Page:
    """The owner's tab that listens. Nothing was clicked yet."""
    owner = stack.person("bondi", "owner")
    page.goto(stack.sidechart("bondi", "/settings/button"))
    page.get_by_label("Email").fill(owner.email)
    page.get_by_label("Password", exact=True).fill(owner.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("No click received yet.")).to_be_visible()
    page.wait_for_load_state()
    return page


def test_the_page_turns_green_while_the_button_is_clicked_in_another_tab(
    stack: Stack, listening: Page, click_button: Click
) -> None:
    refused: list[str] = []
    listening.on("console", lambda message: refused.append(message.text))
    tab = click_button("/patients")
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Ada Lindqvist")
    owner = stack.person("bondi", "owner")
    said = re.compile(rf"The button works\. {owner.name} opened a patient from Cliniko at \d\d:\d\d\.")
    expect(listening.get_by_text(said)).to_be_visible()
    expect(listening.get_by_text("Lindqvist")).to_have_count(0)
    assert refused == []


def test_a_wrong_address_is_explained_in_both_tabs_until_it_is_put_right(listening: Page, click_button: Click) -> None:
    tab = click_button("/patient")
    expect(tab.get_by_role("heading", level=1)).to_have_text("The button's address in Cliniko has a mistake")
    expect(tab.get_by_text("Put an s at the end of the App URL: /patients.")).to_be_visible()
    expect(listening.get_by_text("Put an s at the end of the App URL: /patients.")).to_be_visible()
    expect(listening.get_by_text("The button works.")).to_have_count(0)
    click_button("/patients")
    expect(listening.get_by_text("The button works.")).to_be_visible()
    expect(listening.get_by_text("Put an s at the end")).to_have_count(0)


def test_the_address_is_copied_by_keyboard_and_the_button_says_so(
    stack: Stack, context: BrowserContext, listening: Page
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    listening.get_by_role("button", name="Copy the app URL").focus()
    listening.keyboard.press("Enter")
    expect(listening.get_by_role("button", name="Copied", exact=True)).to_be_focused()
    expect(listening.get_by_role("button", name="Copy the app URL")).to_be_focused()
    assert listening.evaluate("navigator.clipboard.readText()") == stack.sidechart("bondi", "/patients")


def test_without_a_script_the_address_can_be_selected_and_the_page_asked_again(
    stack: Stack, listening: Page, click_button: Click
) -> None:
    browser = listening.context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False, storage_state=listening.context.storage_state())
    page = plain.new_page()
    page.goto(stack.sidechart("bondi", "/settings/button"))
    expect(page.get_by_role("button", name="Copy the app URL")).to_be_hidden()
    expect(page.get_by_text("This page shows when your click arrives.")).to_be_hidden()
    expect(page.get_by_role("code").filter(has_text="/patients")).to_have_css("user-select", "all")
    click_button("/patients")
    page.get_by_role("link", name="reload this page").click()
    expect(page.get_by_text("The button works.")).to_be_visible()
    plain.close()
