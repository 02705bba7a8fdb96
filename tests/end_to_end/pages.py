"""What people do in Sidechart, for tests in a browser."""

import re

from playwright.sync_api import Page, expect

from sandbox.demo_data import Person
from tests.end_to_end.stack import Stack

CLEO, DOV = "Cleo Marchetti", "Dov Halloran"  # see the fixture `patients`


def sign_in(page: Page, person: Person) -> None:
    """Fill in the sign-in page, which must be open."""
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password", exact=True).fill(person.password)
    page.get_by_role("button", name="Sign in").click()


def sign_out(page: Page, person: Person) -> None:
    page.get_by_role("banner").get_by_text(person.name).click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def open_patient(stack: Stack, page: Page, patient_id: str) -> Page:
    page.goto(stack.sidechart("bondi", f"/patients?patient_id={patient_id}"))
    return page


def expect_patient(page: Page, name: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    expect(page).to_have_title(re.compile(f"^{name}"))


def pass_time(stack: Stack, page: Page, *, minutes: int, seconds: int = 0) -> None:
    """Advance the page's clock and make bondi's sessions idle for as long."""
    passed = minutes * 60 + seconds
    stack.execute("bondi", "UPDATE accounts_opensession SET seen_at = seen_at - make_interval(secs => %s)", passed)
    page.clock.fast_forward(passed * 1000)


def connect_app(page: Page, stack: Stack, label: str, url: str, *, name: str = "Sidechart") -> None:
    """Save Sidechart as a connected patient app in Cliniko's settings."""
    page.goto(stack.cliniko(label, "/settings/integrations"))
    page.get_by_label("App name").first.fill(name)
    page.get_by_label("App URL").first.fill(url)
    page.get_by_role("button", name="Save connected patient apps").click()


def open_in_sidechart(page: Page, stack: Stack, label: str, patient_id: str) -> Page:
    """Open the patient in Cliniko, choose Open in > Sidechart and return the new tab."""
    page.goto(stack.cliniko(label, f"/patients/{patient_id}"))
    page.get_by_role("button", name="Open in").click()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Sidechart").click()
    return opened.value
