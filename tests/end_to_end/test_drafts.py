"""Drafts of notes in a real browser: they survive the end of a session and changes to other notes."""

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.end_to_end.pages import CLEO, expect_patient, pass_time, sign_in
from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("stack")]


def box(tab: Page) -> Locator:
    return tab.get_by_label("New note")


def type_draft(tab: Page, text: str) -> None:
    """Type, and wait until the draft is saved."""
    with tab.expect_response("**/notes/draft"):
        box(tab).press_sequentially(text)
        tab.clock.run_for(1500)


@pytest.fixture(autouse=True)
def no_notes(stack: Stack) -> None:
    stack.execute("bondi", "DELETE FROM launch_draft")
    stack.execute("bondi", "DELETE FROM launch_noteversion")
    stack.execute("bondi", "DELETE FROM launch_note")


def test_a_draft_comes_back_after_the_session_ended(stack: Stack, timed_page: Page) -> None:
    type_draft(timed_page, "Prefers mornings")
    pass_time(stack, timed_page, minutes=31)
    expect(timed_page.get_by_role("heading", name="You've been signed out")).to_be_visible()
    assert "Prefers mornings" not in timed_page.content()
    stored = timed_page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")
    assert "Prefers" not in stored
    timed_page.get_by_role("link", name="Sign in").click()
    sign_in(timed_page, stack.person("bondi"))
    expect_patient(timed_page, CLEO)
    expect(box(timed_page)).to_have_value("Prefers mornings")
    timed_page.get_by_role("button", name="Add note").click()
    expect(timed_page.get_by_role("paragraph").filter(has_text="Prefers mornings")).to_be_visible()
    expect(box(timed_page)).to_have_value("")


def test_typing_extends_the_session(stack: Stack, timed_page: Page) -> None:
    pass_time(stack, timed_page, minutes=28)
    type_draft(timed_page, "Prefers mornings")
    pass_time(stack, timed_page, minutes=5)
    expect(timed_page.get_by_role("alertdialog")).to_be_hidden()
    expect(box(timed_page)).to_have_value("Prefers mornings")


def test_a_draft_stays_when_another_note_is_pinned(stack: Stack, timed_page: Page) -> None:
    box(timed_page).fill("Needs the lift")
    timed_page.get_by_role("button", name="Add note").click()
    expect(timed_page.get_by_role("paragraph").filter(has_text="Needs the lift")).to_be_visible()
    box(timed_page).fill("Prefers mornings")
    timed_page.get_by_role("button", name="Pin").click()
    expect(timed_page.get_by_text("Pinned", exact=True)).to_be_visible()
    expect(box(timed_page)).to_have_value("Prefers mornings")


def test_a_draft_can_be_discarded(stack: Stack, timed_page: Page) -> None:
    type_draft(timed_page, "Prefers mornings")
    timed_page.reload()
    expect(timed_page.get_by_text("You typed this but didn't save it.")).to_be_visible()
    timed_page.get_by_role("button", name="Discard draft").click()
    expect(box(timed_page)).to_have_value("")
    timed_page.reload()
    expect(box(timed_page)).to_have_value("")


def test_a_cleared_page_has_no_initials_in_its_tab(stack: Stack, timed_page: Page) -> None:
    icon = "document.querySelector('link[rel=icon]')?.href || ''"
    assert "CM" in timed_page.evaluate(icon)
    pass_time(stack, timed_page, minutes=31)
    expect(timed_page.get_by_role("heading", name="You've been signed out")).to_be_visible()
    assert timed_page.evaluate(icon) == ""


def test_the_box_is_disabled_while_saving_and_keeps_its_text_when_that_fails(stack: Stack, timed_page: Page) -> None:
    def fail_slowly(route: Route) -> None:
        timed_page.wait_for_timeout(1000)
        route.abort()

    timed_page.route("**/notes", fail_slowly)
    type_draft(timed_page, "Prefers mornings")
    timed_page.get_by_role("button", name="Add note").click()
    expect(box(timed_page)).to_be_disabled()
    expect(timed_page.get_by_text("Couldn't reach Sidechart. Your note isn't saved.").first).to_be_visible()
    expect(box(timed_page)).to_be_enabled()
    expect(box(timed_page)).to_have_value("Prefers mornings")
    timed_page.unroute("**/notes")
    timed_page.get_by_role("button", name="Add note").click()
    expect(timed_page.get_by_role("paragraph").filter(has_text="Prefers mornings")).to_be_visible()
