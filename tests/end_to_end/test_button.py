"""The page of the Cliniko button shows clicks made in another tab."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from sandbox.cliniko.data.accounts import ConnectedApp
from tests.end_to_end.pages import open_in_sidechart, sign_in
from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("stack")]

Click = Callable[[str], Page]


@pytest.fixture
def patient(stack: Stack) -> str:
    return stack.store.add_patient("bondi", first_name="Ada", last_name="Lindqvist")


@pytest.fixture
def click_button(stack: Stack, context: BrowserContext, patient: str) -> Iterator[Click]:
    """`click_button("/patients")` sets the path in Cliniko's App URL, chooses Open in > Sidechart, returns the tab."""
    before = stack.store.apps("bondi")
    stack.rows("bondi", "DELETE FROM launch_buttonclick RETURNING kind")

    def click(path: str) -> Page:
        stack.store.connect_apps("bondi", [ConnectedApp("Sidechart", stack.sidechart("bondi", path))])
        return open_in_sidechart(context.new_page(), stack, "bondi", patient)

    yield click
    stack.store.connect_apps("bondi", list(before))


@pytest.fixture
def button_page(stack: Stack, page: Page, click_button: Click) -> Page:
    """The owner's tab with the button's page, before any click."""
    page.goto(stack.sidechart("bondi", "/settings/button"))
    sign_in(page, stack.person("bondi", "owner"))
    expect(page.get_by_text("No click received yet.")).to_be_visible()
    page.wait_for_load_state()
    return page


def test_the_page_shows_a_click_in_another_tab(stack: Stack, button_page: Page, click_button: Click) -> None:
    refused: list[str] = []
    button_page.on("console", lambda message: refused.append(message.text))
    tab = click_button("/patients")
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Ada Lindqvist")
    owner = stack.person("bondi", "owner")
    message = re.compile(rf"The button works\. {owner.name} opened a patient from Cliniko at \d+:\d\d [ap]m\.")
    expect(button_page.get_by_text(message)).to_be_visible()
    expect(button_page.get_by_text("Lindqvist")).to_have_count(0)
    assert refused == []


def test_both_tabs_explain_a_wrong_url_until_it_is_corrected(button_page: Page, click_button: Click) -> None:
    tab = click_button("/patient")
    expect(tab.get_by_role("heading", level=1)).to_have_text("The button's URL in Cliniko has a mistake")
    expect(tab.get_by_text("Add an s to the end of the App URL: /patients.")).to_be_visible()
    expect(button_page.get_by_text("Add an s to the end of the App URL: /patients.")).to_be_visible()
    expect(button_page.get_by_text("The button works.")).to_have_count(0)
    click_button("/patients")
    expect(button_page.get_by_text("The button works.")).to_be_visible()
    expect(button_page.get_by_text("Add an s to the end")).to_have_count(0)


def test_the_url_can_be_copied_with_the_keyboard(stack: Stack, context: BrowserContext, button_page: Page) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    button_page.get_by_role("button", name="Copy the app URL").focus()
    button_page.keyboard.press("Enter")
    expect(button_page.get_by_role("button", name="Copied", exact=True)).to_be_focused()
    expect(button_page.get_by_role("button", name="Copy the app URL")).to_be_focused()
    assert button_page.evaluate("navigator.clipboard.readText()") == stack.sidechart("bondi", "/patients")


def test_without_javascript_the_url_can_be_selected_and_the_page_reloaded(
    stack: Stack, button_page: Page, click_button: Click
) -> None:
    browser = button_page.context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False, storage_state=button_page.context.storage_state())
    page = plain.new_page()
    page.goto(stack.sidechart("bondi", "/settings/button"))
    expect(page.get_by_role("button", name="Copy the app URL")).to_be_hidden()
    expect(page.get_by_text("This page shows when your click arrives.")).to_be_hidden()
    expect(page.get_by_role("code").filter(has_text="/patients")).to_have_css("user-select", "all")
    click_button("/patients")
    page.get_by_role("link", name="reload this page").click()
    expect(page.get_by_text("The button works.")).to_be_visible()
    plain.close()
