"""The first steps: from the invitation to the first patient opened from Cliniko, each left and taken up at will."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from accounts import invitations
from accounts.models import User
from audit.models import Event
from launch.models import ButtonClick, ClinicSettings
from sync.models import Connection, Cursor
from tenants.context import clinic_context
from tests.accounts.second_factors import give_app
from tests.cliniko_sandbox import Sandbox

PASSWORD = "a few words of my own"


def said(browser: Client, path: str = "/welcome") -> str:
    return " ".join(browser.get(path).content.decode().split())


def test_the_invitation_of_an_owner_leads_to_the_first_steps(clinic_client: Callable[[str], Client]) -> None:
    with clinic_context("bondi"):
        _, link = invitations.invite(email="new@bondi.example", role="owner")
    path = link.removeprefix("http://bondi.localhost:8000")
    form = {"name": "Kim", "password1": PASSWORD, "password2": PASSWORD}
    browser = clinic_client("bondi")
    assert browser.post(path, form)["Location"] == "/welcome"
    page = said(browser)
    assert "0 of 5 done" in page
    assert 'aria-current="step"> <section class="card stack" aria-labelledby="sign-in">' in page


@pytest.mark.parametrize("role", ["clinician", "reception", "readonly"])
def test_others_are_led_to_the_search_and_know_nothing_of_first_steps(
    clinic_client: Callable[[str], Client], role: str
) -> None:
    with clinic_context("bondi"):
        _, link = invitations.invite(email="new@bondi.example", role=role)
    form = {"name": "Kim", "password1": PASSWORD, "password2": PASSWORD}
    browser = clinic_client("bondi")
    assert browser.post(link.removeprefix("http://bondi.localhost:8000"), form)["Location"] == "/"
    assert "First steps" not in said(browser, "/")


@pytest.fixture
def owner(force_login: Callable[..., Client]) -> Client:
    """Bondi's owner, alone at a new clinic."""
    return force_login("bondi", role="owner")


def test_each_step_is_done_when_the_thing_is_there(
    owner: Client, staff_member: Callable[..., User], mark_imported: Callable[[str], None]
) -> None:
    assert "0 of 5 done" in said(owner)
    mark_imported("bondi")
    assert "2 of 5 done" in said(owner)
    with clinic_context("bondi"):
        ButtonClick.objects.create(kind="click", at=timezone.now())
    assert "3 of 5 done" in said(owner)
    give_app("bondi", staff_member("bondi", "owner"))
    assert "4 of 5 done" in said(owner)
    with clinic_context("bondi"):
        invitations.invite(email="colleague@bondi.example", role="reception")
    page = said(owner)
    assert "5 of 5 done" in page
    assert "Bondi Physio is ready." in page


def test_what_is_there_no_more_is_done_no_more(owner: Client, mark_imported: Callable[[str], None]) -> None:
    mark_imported("bondi")
    with clinic_context("bondi"):
        Connection.objects.update(state="key_invalid", key_state="invalid")
    assert "1 of 5 done" in said(owner)


def test_another_clinics_steps_are_its_own(
    owner: Client, force_login: Callable[..., Client], mark_imported: Callable[[str], None]
) -> None:
    mark_imported("bondi")
    owner.post("/welcome/later", {"step": "button"})
    assert "3 of 5 done" in said(owner)
    assert "0 of 5 done" in said(force_login("harbour", role="owner"))


@pytest.mark.parametrize("step", ["sign-in", "button", "colleagues"])
def test_a_step_can_be_put_off_and_is_one_line_of_the_log(owner: Client, step: str) -> None:
    for _ in range(2):
        assert owner.post("/welcome/later", {"step": step})["Location"] == "/welcome"
    assert "1 of 5 done" in said(owner)
    with clinic_context("bondi"):
        line = Event.objects.get(action="settings_changed")
    assert line.details["first_steps"].startswith("later: ")


@pytest.mark.parametrize("step", ["key", "import", "", "nothing", "sign-in\x00"])
def test_no_other_step_can(owner: Client, step: str) -> None:
    assert owner.post("/welcome/later", {"step": step}).status_code == 400
    assert "0 of 5 done" in said(owner)


def test_home_reminds_until_somebody_has_had_enough_and_settings_lead_back(owner: Client) -> None:
    owner.post("/welcome/later", {"step": "colleagues"})
    assert "First steps: 1 of 5 done." in said(owner, "/")
    assert owner.post("/welcome/end")["Location"] == "/"
    assert "First steps" not in said(owner, "/")
    assert "First steps: 1 of 5 done." in said(owner, "/settings/")
    assert owner.post("/welcome/again")["Location"] == "/welcome"
    assert "First steps: 0 of 5 done." in said(owner, "/")
    with clinic_context("bondi"):
        lines = list(Event.objects.filter(action="settings_changed").order_by("id").values_list("details", flat=True))
    assert [line["first_steps"] for line in lines] == ["later: Your colleagues", "ended", "taken up again"]


def test_going_on_where_nothing_was_ended_is_no_line_of_the_log(owner: Client) -> None:
    for address in ("/welcome/again", "/welcome/end", "/welcome/end", "/welcome/again", "/welcome/again"):
        assert owner.post(address).status_code == 302
    with clinic_context("bondi"):
        lines = Event.objects.filter(action="settings_changed").order_by("id").values_list("details", flat=True)
        assert [line["first_steps"] for line in lines] == ["ended", "taken up again"]


def test_once_all_is_done_nobody_is_reminded_again(owner: Client, mark_imported: Callable[[str], None]) -> None:
    mark_imported("bondi")
    for step in ("sign-in", "button", "colleagues"):
        owner.post("/welcome/later", {"step": step})
    assert "First steps" not in said(owner, "/")
    with clinic_context("bondi"):
        assert ClinicSettings.objects.get().first_steps_ended_at
        Connection.objects.update(state="key_invalid", key_state="invalid")
    assert "First steps" not in said(owner, "/")


def test_the_import_is_followed_and_the_page_comes_anew_when_it_is_done(
    owner: Client, mark_imported: Callable[[str], None]
) -> None:
    mark_imported("bondi")
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="patients").update(imported_at=None, walked=300, total=1200)
    assert 'hx-get="/welcome/import"' in said(owner)
    part = owner.get("/welcome/import", headers={"HX-Request": "true"})
    assert "300 of 1,200 records." in " ".join(part.content.decode().split())
    assert "HX-Refresh" not in part
    mark_imported("bondi")
    assert owner.get("/welcome/import", headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert 'hx-get="/welcome/import"' not in said(owner)


def test_the_first_key_leads_back_to_the_steps_and_a_later_one_does_not(sandbox: Sandbox, owner: Client) -> None:
    key = {"key": sandbox.store.key("bondi")}
    assert owner.post("/settings/key", key)["Location"] == "/welcome"
    assert "Connected to Bondi Physio (au1)" in said(owner)
    owner.post("/welcome/end")
    assert owner.post("/settings/key", key)["Location"] == "/settings/key"
