"""A new clinic, from `clinic create` to the first patient opened from Cliniko, using only pages."""

import json
import re
import sys
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from sandbox.cliniko.faults.kinds import Fault
from tests.accounts.second_factors import totp_code
from tests.end_to_end.pages import connect_app, expect_patient, open_in_sidechart
from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("stack")]

PASSWORD = "three words of mine"


def invitation_to(stack: Stack, label: str) -> str:
    """Create the clinic and a Cliniko account for it, and return the owner's invitation link."""
    stack.store.add_account(label, "au3", patients=60)
    words = ("clinic", "create", label, "--name", "New clinic", "--owner", f"owner@{label}.example", "--json")
    link: str = json.loads(stack.supervisor.run(sys.executable, "manage.py", *words))["invite_url"]
    return link


def join(tab: Page, link: str) -> None:
    tab.goto(link)
    tab.get_by_label("Your name").fill("Olive Owner")
    tab.get_by_label("Password", exact=True).fill(PASSWORD)
    tab.get_by_label("Password again").fill(PASSWORD)
    tab.get_by_role("button", name="Create account").click()
    expect_completed(tab, 0)


def expect_completed(tab: Page, number: int) -> None:
    expect(tab.get_by_text(f"{number} of 5 done")).to_be_visible()


def postpone_two_step_verification(tab: Page) -> None:
    tab.get_by_role("button", name="Two-step verification: later").click()


def set_up_two_step_verification(tab: Page) -> None:
    """Set up an authenticator app, which ends on the onboarding page again."""
    tab.get_by_role("link", name="Set up", exact=True).click()
    tab.get_by_role("link", name="Set up an app").click()
    secret = tab.locator("[data-secret]").inner_text().replace(" ", "")
    tab.get_by_label("Code from the app").fill(totp_code(secret))
    tab.get_by_role("button", name="Done").click()
    tab.get_by_role("link", name="I've saved them").click()


def enter_key(stack: Stack, tab: Page, cliniko: Page, label: str) -> None:
    cliniko.goto(stack.cliniko(label, "/settings/integrations"))
    key = cliniko.locator("[data-api-key]").inner_text()
    tab.get_by_role("link", name="Enter API key").click()
    tab.get_by_label("API key").fill(f"{key[:-1]}9")
    tab.get_by_role("button", name="Test and connect").click()
    expect(tab.get_by_role("alert")).to_contain_text("doesn't accept this key")
    tab.get_by_label("API key").fill(f" {key} ")
    tab.get_by_role("button", name="Test and connect").click()
    expect(tab.get_by_text(re.compile(r"^Connected to .+ \(au3\) as .+ Patients: yes\."))).to_be_visible()


def add_button(stack: Stack, tab: Page, cliniko: Page, label: str) -> None:
    tab.get_by_role("link", name="Set up and test").click()
    expect(tab.get_by_text("No click received yet.")).to_be_visible()
    name, address = (tab.locator("dd.address code").nth(place).inner_text() for place in (0, 1))
    connect_app(cliniko, stack, label, address, name=name)
    expect(cliniko.get_by_role("status")).to_have_text("Connected patient apps saved.")


@pytest.mark.parametrize(
    ("label", "two_step"), [("tamarama", postpone_two_step_verification), ("bronte", set_up_two_step_verification)]
)
def test_an_owner_gets_from_the_invitation_to_the_first_launch(
    stack: Stack, context: BrowserContext, label: str, two_step: Callable[[Page], None]
) -> None:
    tab, cliniko = context.new_page(), context.new_page()
    join(tab, invitation_to(stack, label))
    two_step(tab)
    expect_completed(tab, 1)
    stack.store.inject_fault(label, Fault.SLOW, resource="patients", times=6, seconds=1)
    enter_key(stack, tab, cliniko, label)
    expect(tab.get_by_text(re.compile(r"\d+ of \d+ records\."))).to_be_visible()
    expect(tab.get_by_text("Everything the API key can read is imported")).to_be_visible(timeout=30_000)
    expect_completed(tab, 3)
    add_button(stack, tab, cliniko, label)
    patient = next(each for each in stack.store.all(label, "patients") if not each.archived_at)
    opened = open_in_sidechart(cliniko, stack, label, str(patient.id))
    expect_patient(opened, f"{patient.body['first_name']} {patient.body['last_name']}")
    expect(tab.get_by_text("The button works.")).to_be_visible()
    tab.goto(stack.sidechart(label))
    tab.get_by_role("link", name="Continue").click()
    expect_completed(tab, 4)
    tab.get_by_role("button", name="Invite your team: later").click()
    expect_completed(tab, 5)
    tab.get_by_role("link", name="Go to search").click()
    expect(tab.get_by_text("Getting started")).to_have_count(0)
