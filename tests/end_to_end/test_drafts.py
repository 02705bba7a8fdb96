"""Half-typed notes in a real browser: no page that closes, and no other note that is saved, takes them away."""

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.end_to_end.stack import Stack
from tests.end_to_end.test_click import expect_patient, sign_in
from tests.end_to_end.test_sign_in import CLEO, later, people, run, watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("stack")]
__all__ = ["people", "watched"]


def box(tab: Page) -> Locator:
    return tab.get_by_label("New note")


def type_words(tab: Page, words: str) -> None:
    """Type, and wait until they are kept."""
    with tab.expect_response("**/notes/draft"):
        box(tab).press_sequentially(words)
        tab.clock.run_for(1500)


@pytest.fixture(autouse=True)
def no_notes(stack: Stack) -> None:
    run(stack, "DELETE FROM launch_draft")
    run(stack, "DELETE FROM launch_noteversion")
    run(stack, "DELETE FROM launch_note")


def test_a_note_half_typed_is_there_again_after_the_page_closed_itself(stack: Stack, watched: Page) -> None:
    type_words(watched, "Prefers mornings")
    later(stack, watched, minutes=31)
    expect(watched.get_by_role("heading", name="You've been signed out")).to_be_visible()
    assert "Prefers mornings" not in watched.content()
    stored = watched.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")
    assert "Prefers" not in stored
    watched.get_by_role("link", name="Sign in").click()
    sign_in(watched, stack.person("bondi"))
    expect_patient(watched, CLEO)
    expect(box(watched)).to_have_value("Prefers mornings")
    watched.get_by_role("button", name="Add note").click()
    expect(watched.get_by_role("paragraph").filter(has_text="Prefers mornings")).to_be_visible()
    expect(box(watched)).to_have_value("")


def test_typing_keeps_the_session(stack: Stack, watched: Page) -> None:
    later(stack, watched, minutes=28)
    type_words(watched, "Prefers mornings")
    later(stack, watched, minutes=5)
    expect(watched.get_by_role("alertdialog")).to_be_hidden()
    expect(box(watched)).to_have_value("Prefers mornings")


def test_what_is_half_typed_stays_while_another_note_is_pinned(stack: Stack, watched: Page) -> None:
    box(watched).fill("Needs the lift")
    watched.get_by_role("button", name="Add note").click()
    expect(watched.get_by_role("paragraph").filter(has_text="Needs the lift")).to_be_visible()
    box(watched).fill("Prefers mornings")
    watched.get_by_role("button", name="Pin").click()
    expect(watched.get_by_text("Pinned", exact=True)).to_be_visible()
    expect(box(watched)).to_have_value("Prefers mornings")


def test_words_are_given_up_by_a_click(stack: Stack, watched: Page) -> None:
    type_words(watched, "Prefers mornings")
    watched.reload()
    expect(watched.get_by_text("You typed this but didn't save it.")).to_be_visible()
    watched.get_by_role("button", name="Discard draft").click()
    expect(box(watched)).to_have_value("")
    watched.reload()
    expect(box(watched)).to_have_value("")


def test_a_page_that_closed_itself_has_no_initials_in_its_tab(stack: Stack, watched: Page) -> None:
    icon = "document.querySelector('link[rel=icon]')?.href || ''"
    assert "CM" in watched.evaluate(icon)
    later(stack, watched, minutes=31)
    expect(watched.get_by_role("heading", name="You've been signed out")).to_be_visible()
    assert watched.evaluate(icon) == ""


def test_nobody_types_on_while_the_note_is_being_saved_and_what_failed_stays(stack: Stack, watched: Page) -> None:
    def fail_slowly(route: Route) -> None:
        watched.wait_for_timeout(1000)
        route.abort()

    watched.route("**/notes", fail_slowly)
    type_words(watched, "Prefers mornings")
    watched.get_by_role("button", name="Add note").click()
    expect(box(watched)).to_be_disabled()
    expect(watched.get_by_text("Couldn't reach Sidechart. Your note isn't saved.").first).to_be_visible()
    expect(box(watched)).to_be_enabled()
    expect(box(watched)).to_have_value("Prefers mornings")
    watched.unroute("**/notes")
    watched.get_by_role("button", name="Add note").click()
    expect(watched.get_by_role("paragraph").filter(has_text="Prefers mornings")).to_be_visible()
