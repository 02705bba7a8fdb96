"""The console in a browser: unfold's list without its scripts, and the end of a session."""

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.console import sign_in_operator
from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("stack")]


def test_an_operator_can_select_every_clinic_and_confirms_the_action(stack: Stack, page: Page) -> None:
    sign_in_operator(page, stack)
    clinics = page.locator("input.action-select").count()
    assert clinics >= 2
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("heading", name=f"Suspend {clinics} clinics?")).to_be_visible()
    expect(page.locator(".chosen li")).to_have_count(clinics)
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading", name="Clinics")).to_be_visible()


def test_the_list_can_be_searched_and_filtered(stack: Stack, page: Page) -> None:
    sign_in_operator(page, stack)
    page.keyboard.press("/")
    page.keyboard.type("harbour")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Bondi Physio")).to_have_count(0)
    page.get_by_role("link", name="Harbour Osteopathy").click()
    expect(page.get_by_role("heading", name="Harbour Osteopathy")).to_be_visible()
    page.get_by_role("link", name="Clinics").click()
    page.get_by_role("group", name="State").get_by_role("link", name="Suspended").click()
    expect(page.get_by_role("heading", name="No clinics found")).to_be_visible()


def test_the_console_warns_before_the_session_ends_and_can_extend_it(stack: Stack, page: Page) -> None:
    page.clock.install()
    sign_in_operator(page, stack)
    seconds = 14 * 60 + 20
    with psycopg.connect(stack.database, autocommit=True) as database:
        database.execute(
            "UPDATE public.accounts_opensession SET seen_at = seen_at - make_interval(secs => %s)", [seconds]
        )
    page.clock.fast_forward(seconds * 1000)
    warning = page.get_by_role("alertdialog")
    expect(warning.get_by_role("button", name="Stay signed in")).to_be_focused()
    page.keyboard.press("Enter")
    expect(warning).to_be_hidden()
    page.reload()
    expect(page.get_by_role("heading", name="Clinics")).to_be_visible()


def test_an_idle_console_is_cleared(stack: Stack, page: Page) -> None:
    page.clock.install()
    sign_in_operator(page, stack)
    with psycopg.connect(stack.database, autocommit=True) as database:
        database.execute("DELETE FROM public.accounts_opensession")
    page.clock.fast_forward(29 * 60 * 1000 + 10_000)
    expect(page.get_by_role("heading", name="You've been signed out")).to_be_visible()
    assert "Bondi" not in page.content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_console_follows_the_browsers_colour_scheme(stack: Stack, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    sign_in_operator(page, stack)
    background = page.evaluate("getComputedStyle(document.querySelector('main')).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(25, 34, 38)"}[scheme]
