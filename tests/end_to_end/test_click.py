"""The main job in a real browser: from a patient's page in Cliniko to the patient in Sidechart."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from sandbox.demo_data import Person
from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("stack")]

ADA, BEN, MARAMA = "Ada Lindqvist", "Ben Okonkwo", "Mārama Kererū"


@pytest.fixture(scope="module")
def people(stack: Stack) -> dict[str, str]:
    """Two patients of bondi; harbour has somebody else under Ada's id."""
    ada = stack.store.add_patient("bondi", first_name="Ada", last_name="Lindqvist", date_of_birth="1990-04-17")
    ben = stack.store.add_patient("bondi", first_name="Ben", last_name="Okonkwo")
    stack.store.add_alert("bondi", ada, "Penicillin allergy")
    stack.store.add_patient("harbour", id=ada, first_name="Mārama", last_name="Kererū")
    return {ADA: ada, BEN: ben}


@pytest.fixture(autouse=True)
def _button_in_cliniko(stack: Stack, page: Page) -> None:
    """Somebody of the clinic has connected Sidechart in Cliniko's settings."""
    page.goto(stack.cliniko("bondi", "/settings/integrations"))
    if "/patients" not in page.get_by_label("App URL").first.input_value():
        page.get_by_label("App name").first.fill("Sidechart")
        page.get_by_label("App URL").first.fill(stack.sidechart("bondi", "/patients"))
        page.get_by_role("button", name="Save connected patient apps").click()
        expect(page.get_by_role("status")).to_have_text("Connected patient apps saved.")


@pytest.fixture
def click_button(stack: Stack, page: Page, people: dict[str, str]) -> Callable[[str], Page]:
    """`click_button(ADA)`: open the patient in Cliniko, choose Open in > Sidechart; answers the new tab."""

    def click(name: str) -> Page:
        page.goto(stack.cliniko("bondi", f"/patients/{people[name]}"))
        page.get_by_role("button", name="Open in").click()
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="Sidechart").click()
        return opened.value

    return click


def sign_in(tab: Page, person: Person) -> None:
    tab.get_by_label("Email").fill(person.email)
    tab.get_by_label("Password", exact=True).fill(person.password)
    tab.get_by_role("button", name="Sign in").click()


def expect_patient(tab: Page, name: str) -> None:
    expect(tab.get_by_role("heading", level=1)).to_contain_text(name)
    expect(tab).to_have_title(re.compile(f"^{name}"))


def test_one_click_leads_through_the_sign_in_to_the_patient_and_the_next_one_straight_there(
    stack: Stack, click_button: Callable[[str], Page]
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


def test_alerts_come_before_all_else(stack: Stack, click_button: Callable[[str], Page]) -> None:
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
def test_two_tabs_opened_before_the_sign_in_each_end_on_their_own_patient(
    stack: Stack, click_button: Callable[[str], Page], first_to_sign_in: int
) -> None:
    tabs = [(click_button(ADA), ADA), (click_button(BEN), BEN)]
    if first_to_sign_in:
        tabs.reverse()
    for tab, name in tabs:
        sign_in(tab, stack.person("bondi"))
        expect_patient(tab, name)


def test_two_tabs_with_two_patients_tell_each_other_and_store_nothing(
    stack: Stack, click_button: Callable[[str], Page]
) -> None:
    first = click_button(ADA)
    sign_in(first, stack.person("bondi"))
    expect_patient(first, ADA)
    note = "Another patient is open in another tab."
    same = click_button(ADA)
    expect_patient(same, ADA)
    expect(same.get_by_text(note)).to_be_hidden()
    second = click_button(BEN)
    for tab in (first, second):
        expect(tab.get_by_text(note)).to_be_visible()
        assert tab.evaluate("localStorage.length + sessionStorage.length") == 0
    second.close()
    expect(first.get_by_text(note)).to_be_hidden()


def test_the_name_stays_in_sight_on_a_narrow_screen(stack: Stack, click_button: Callable[[str], Page]) -> None:
    tab = click_button(ADA)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, ADA)
    tab.set_viewport_size({"width": 390, "height": 600})
    tab.mouse.wheel(0, 2000)
    expect(tab.get_by_role("heading", level=1)).to_be_in_viewport()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_one_key_leads_back_to_the_same_patient_in_cliniko(
    stack: Stack, people: dict[str, str], click_button: Callable[[str], Page]
) -> None:
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
    expect(opened.value).to_have_url(re.compile(f"/patients/{people[ADA]}$"))


def test_words_being_typed_survive_the_fresh_copy(
    stack: Stack, page: Page, people: dict[str, str], click_button: Callable[[str], Page]
) -> None:
    tab = click_button(BEN)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, BEN)
    expect(tab.get_by_text("Checked with Cliniko just now")).to_be_visible()
    refused: list[str] = []
    tab.on("console", lambda message: refused.append(message.text))
    note = tab.get_by_label("New note")
    note.fill("Half a thought")
    page.goto(stack.cliniko("bondi", f"/patients/{people[BEN]}"))
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Occupation").fill("Beekeeper")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_timeout(2_500)  # one question for a patient in so long
    tab.get_by_role("button", name="Check again").click()
    expect(tab.get_by_role("insertion").filter(has_text="Beekeeper")).to_be_visible()
    expect(note).to_have_value("Half a thought")
    assert refused == []


def test_it_prints_on_one_page(stack: Stack, click_button: Callable[[str], Page]) -> None:
    tab = click_button(ADA)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, ADA)
    assert len(re.findall(rb"/Type\s*/Page\b", tab.pdf(format="A4"))) == 1


def test_the_other_clinic_shows_nothing_of_this_one(
    stack: Stack, page: Page, people: dict[str, str], click_button: Callable[[str], Page]
) -> None:
    tab = click_button(ADA)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, ADA)
    page.goto(stack.sidechart("harbour", f"/patients?patient_id={people[ADA]}"))
    expect(page).to_have_url(re.compile("harbour.*/login"))
    sign_in(page, stack.person("bondi"))
    expect(page.get_by_role("alert")).to_be_visible()
    sign_in(page, stack.person("harbour"))
    expect_patient(page, MARAMA)
    expect(page.get_by_text("Lindqvist")).to_have_count(0)
    tab.reload()
    expect_patient(tab, ADA)


def test_an_edit_in_cliniko_is_seen_on_the_next_click(
    stack: Stack, page: Page, people: dict[str, str], click_button: Callable[[str], Page]
) -> None:
    tab = click_button(BEN)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, BEN)
    page.goto(stack.cliniko("bondi", f"/patients/{people[BEN]}"))
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Occupation").fill("Lighthouse keeper")
    page.get_by_role("button", name="Save", exact=True).click()
    again = click_button(BEN)
    expect(again.get_by_role("insertion").filter(has_text="Lighthouse keeper")).to_be_visible(timeout=15_000)


def test_somebody_registered_a_moment_ago_is_there_on_the_first_click(stack: Stack, page: Page) -> None:
    new = stack.store.add_patient("bondi", first_name="Just", last_name="Registered")
    page.goto(stack.sidechart("bondi", f"/patients?patient_id={new}"))
    sign_in(page, stack.person("bondi"))
    expect_patient(page, "Just Registered")


def test_cliniko_refuses_an_address_that_its_wildcard_does_not_cover(stack: Stack, page: Page) -> None:
    page.goto(stack.cliniko("harbour", "/settings/integrations"))
    page.get_by_label("App name").first.fill("Sidechart")
    page.get_by_label("App URL").first.fill(stack.sidechart("a.harbour", "/patients"))
    page.get_by_role("button", name="Save connected patient apps").click()
    expect(page.get_by_role("alert")).to_contain_text("This URL is not trusted")


def test_after_signing_out_the_back_button_shows_no_patient(
    stack: Stack, click_button: Callable[[str], Page], context: BrowserContext
) -> None:
    tab = click_button(ADA)
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, ADA)
    tab.get_by_role("banner").get_by_text(stack.person("bondi").name).click()
    tab.get_by_role("button", name="Sign out").click()
    expect(tab).to_have_url(re.compile("/login"))
    tab.go_back()
    expect(tab.get_by_text("Lindqvist")).to_have_count(0)


def test_the_search_finds_and_opens_somebody_by_keyboard_alone(
    stack: Stack, page: Page, people: dict[str, str]
) -> None:
    page.goto(stack.sidechart("bondi"))
    sign_in(page, stack.person("bondi"))
    box = page.get_by_role("searchbox")
    expect(box).to_be_focused()
    page.keyboard.type("okonkwo")
    expect(page.get_by_text("1 patient found")).to_be_visible()
    expect(page.locator("#results:not([inert]) a")).to_have_count(1)  # an older list cannot be walked
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect_patient(page, BEN)
    page.goto(stack.sidechart("bondi"))
    expect(page.get_by_role("link", name=re.compile(BEN))).to_be_visible()


def test_no_page_asks_anybody_else_for_anything(stack: Stack, click_button: Callable[[str], Page]) -> None:
    tab = click_button(ADA)
    expect(tab).to_have_url(re.compile("/login"))
    hosts: set[str] = set()
    tab.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    tab.reload()
    sign_in(tab, stack.person("bondi"))
    expect_patient(tab, ADA)
    assert hosts == {f"bondi.localhost:{stack.options.web_port}"}
