"""The main job in a real browser: from a patient's page in Cliniko to the patient in Sidechart."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.end_to_end.pages import connect_app, expect_patient, open_in_sidechart, sign_in
from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("stack")]

Click = Callable[[str], Page]
ADA, BEN, MARAMA = "Ada Lindqvist", "Ben Okonkwo", "Mārama Kererū"


@pytest.fixture(scope="module")
def patients(stack: Stack) -> dict[str, str]:
    """Two patients of bondi; harbour has another patient under Ada's ID."""
    ada = stack.store.add_patient("bondi", first_name="Ada", last_name="Lindqvist", date_of_birth="1990-04-17")
    ben = stack.store.add_patient("bondi", first_name="Ben", last_name="Okonkwo")
    stack.store.add_alert("bondi", ada, "Penicillin allergy")
    stack.store.add_patient("harbour", id=ada, first_name="Mārama", last_name="Kererū")
    return {ADA: ada, BEN: ben}


@pytest.fixture(autouse=True)
def _button_in_cliniko(stack: Stack, page: Page) -> None:
    """Connect Sidechart in Cliniko's settings."""
    connect_app(page, stack, "bondi", stack.sidechart("bondi", "/patients"))
    expect(page.get_by_role("status")).to_have_text("Connected patient apps saved.")


@pytest.fixture
def click_button(stack: Stack, page: Page, patients: dict[str, str]) -> Click:
    """`click_button(ADA)` opens the patient in Cliniko, chooses Open in > Sidechart and returns the new tab."""
    return lambda name: open_in_sidechart(page, stack, "bondi", patients[name])


def test_the_first_click_opens_the_patient_after_signing_in_and_the_next_one_directly(
    stack: Stack, click_button: Click
) -> None:
    tab = click_button(ADA)
    expect(tab).to_have_url(re.compile("/login"))
    expect(tab.get_by_text("Ada")).to_have_count(0)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, ADA)
    second = click_button(BEN)
    expect_patient(second, BEN)
    expect_patient(tab, ADA)
    tab.reload()
    expect_patient(tab, ADA)


def test_alerts_come_first(stack: Stack, click_button: Click) -> None:
    tab = click_button(ADA)
    sign_in(tab, stack.person("bondi"))
    alert = tab.get_by_text("Penicillin allergy")
    expect(alert).to_be_visible(timeout=15_000) if alert.count() else tab.wait_for_timeout(5_000)
    tab.reload()
    expect(tab.get_by_text("Penicillin allergy")).to_be_visible()
    box, contact = tab.get_by_text("Penicillin allergy").bounding_box(), tab.get_by_text("Contact").bounding_box()
    assert box is not None
    assert contact is not None
    assert box["y"] < contact["y"]


@pytest.mark.parametrize("first_to_sign_in", [0, 1])
def test_two_tabs_opened_before_signing_in_each_open_their_own_patient(
    stack: Stack, click_button: Click, first_to_sign_in: int
) -> None:
    tabs = [(click_button(ADA), ADA), (click_button(BEN), BEN)]
    if first_to_sign_in:
        tabs.reverse()
    for tab, name in tabs:
        sign_in(tab, stack.person("bondi"))
        expect_patient(tab, name)


def test_two_tabs_with_two_patients_warn_and_store_nothing(stack: Stack, click_button: Click) -> None:
    first = click_button(ADA)
    sign_in(first, stack.person("bondi"))
    expect_patient(first, ADA)
    warning = "Another patient is open in another tab."
    same = click_button(ADA)
    expect_patient(same, ADA)
    expect(same.get_by_text(warning)).to_be_hidden()
    second = click_button(BEN)
    for tab in (first, second):
        expect(tab.get_by_text(warning)).to_be_visible()
        assert tab.evaluate("localStorage.length + sessionStorage.length") == 0
    second.close()
    expect(first.get_by_text(warning)).to_be_hidden()


def test_the_name_stays_visible_on_a_narrow_screen(stack: Stack, click_button: Click) -> None:
    tab = click_button(ADA)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, ADA)
    tab.set_viewport_size({"width": 390, "height": 600})
    tab.mouse.wheel(0, 2000)
    expect(tab.get_by_role("heading", level=1)).to_be_in_viewport()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_one_key_opens_the_same_patient_in_cliniko(stack: Stack, patients: dict[str, str], click_button: Click) -> None:
    tab = click_button(ADA)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, ADA)
    tab.wait_for_load_state()
    tab.keyboard.press("?")
    expect(tab.get_by_role("dialog")).to_contain_text("Open this patient in Cliniko")
    tab.keyboard.press("Escape")
    tab.keyboard.press("n")
    tab.keyboard.type("Prefers coffee")
    tab.get_by_role("button", name="Add note").click()
    expect(tab.get_by_role("paragraph").filter(has_text="Prefers coffee")).to_be_visible()
    with tab.context.expect_page() as opened:
        tab.keyboard.press("c")
    expect(opened.value).to_have_url(re.compile(f"/patients/{patients[ADA]}$"))


def test_a_note_being_typed_survives_a_refresh(
    stack: Stack, page: Page, patients: dict[str, str], click_button: Click
) -> None:
    tab = click_button(BEN)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, BEN)
    expect(tab.get_by_text("Checked with Cliniko just now")).to_be_visible()
    refused: list[str] = []
    tab.on("console", lambda message: refused.append(message.text))
    note = tab.get_by_label("New note")
    note.fill("Half a thought")
    page.goto(stack.cliniko("bondi", f"/patients/{patients[BEN]}"))
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Occupation").fill("Beekeeper")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_timeout(2_500)  # refreshes of a patient are limited to one in two seconds
    tab.get_by_role("button", name="Check again").click()
    expect(tab.get_by_role("insertion").filter(has_text="Beekeeper")).to_be_visible()
    expect(note).to_have_value("Half a thought")
    assert refused == []


def test_it_prints_on_one_page(stack: Stack, click_button: Click) -> None:
    tab = click_button(ADA)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, ADA)
    assert len(re.findall(rb"/Type\s*/Page\b", tab.pdf(format="A4"))) == 1


def test_another_clinic_shows_nothing_of_this_one(
    stack: Stack, page: Page, patients: dict[str, str], click_button: Click
) -> None:
    tab = click_button(ADA)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, ADA)
    page.goto(stack.sidechart("harbour", f"/patients?patient_id={patients[ADA]}"))
    expect(page).to_have_url(re.compile("harbour.*/login"))
    sign_in(page, stack.person("bondi"))
    expect(page.get_by_role("alert")).to_be_visible()
    sign_in(page, stack.person("harbour"))
    expect_patient(page, MARAMA)
    expect(page.get_by_text("Lindqvist")).to_have_count(0)
    tab.reload()
    expect_patient(tab, ADA)


def test_an_edit_in_cliniko_shows_on_the_next_click(
    stack: Stack, page: Page, patients: dict[str, str], click_button: Click
) -> None:
    tab = click_button(BEN)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, BEN)
    page.goto(stack.cliniko("bondi", f"/patients/{patients[BEN]}"))
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Occupation").fill("Lighthouse keeper")
    page.get_by_role("button", name="Save", exact=True).click()
    again = click_button(BEN)
    expect(again.get_by_role("insertion").filter(has_text="Lighthouse keeper")).to_be_visible(timeout=15_000)


def test_a_patient_just_added_in_cliniko_opens_on_the_first_click(stack: Stack, page: Page) -> None:
    new = stack.store.add_patient("bondi", first_name="Just", last_name="Registered")
    page.goto(stack.sidechart("bondi", f"/patients?patient_id={new}"))
    sign_in(page, stack.person("bondi"))
    expect_patient(page, "Just Registered")


def test_cliniko_refuses_a_url_outside_the_approved_wildcard(stack: Stack, page: Page) -> None:
    connect_app(page, stack, "harbour", stack.sidechart("a.harbour", "/patients"))
    expect(page.get_by_role("alert")).to_contain_text("This URL is not trusted")


def test_after_signing_out_the_back_button_shows_no_patient(
    stack: Stack, click_button: Click, context: BrowserContext
) -> None:
    tab = click_button(ADA)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, ADA)
    tab.get_by_role("banner").get_by_text(stack.person("bondi").name).click()
    tab.get_by_role("button", name="Sign out").click()
    expect(tab).to_have_url(re.compile("/login"))
    tab.go_back()
    expect(tab.get_by_text("Lindqvist")).to_have_count(0)


def test_search_finds_and_opens_a_patient_with_the_keyboard(stack: Stack, page: Page, patients: dict[str, str]) -> None:
    page.goto(stack.sidechart("bondi"))
    sign_in(page, stack.person("bondi"))
    box = page.get_by_role("searchbox")
    expect(box).to_be_focused()
    page.keyboard.type("okonkwo")
    expect(page.get_by_text("1 patient found")).to_be_visible()
    expect(page.locator("#results:not([inert]) a")).to_have_count(1)  # outdated results are inert
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect_patient(page, BEN)
    page.goto(stack.sidechart("bondi"))
    expect(page.get_by_role("link", name=re.compile(BEN))).to_be_visible()


def test_pages_make_no_requests_to_other_hosts(stack: Stack, click_button: Click) -> None:
    tab = click_button(ADA)
    expect(tab).to_have_url(re.compile("/login"))
    hosts: set[str] = set()
    tab.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    tab.reload()
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, ADA)
    assert hosts == {f"bondi.localhost:{stack.options.web_port}"}
