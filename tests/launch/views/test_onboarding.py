"""Onboarding: from the invitation to the first patient opened from Cliniko."""

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
from tests.accounts.second_factors import add_app
from tests.cliniko_sandbox import Sandbox

PASSWORD = "a few words of my own"


def text_of(browser: Client, path: str = "/welcome") -> str:
    return " ".join(browser.get(path).content.decode().split())


def test_an_owners_invitation_leads_to_onboarding(clinic_client: Callable[[str], Client]) -> None:
    with clinic_context("bondi"):
        _, link = invitations.invite(email="new@bondi.example", role="owner")
    path = link.removeprefix("http://bondi.localhost:8000")
    form = {"name": "Kim", "password1": PASSWORD, "password2": PASSWORD}
    browser = clinic_client("bondi")
    assert browser.post(path, form)["Location"] == "/welcome"
    page = text_of(browser)
    assert "0 of 5 done" in page
    assert 'aria-current="step"> <section class="card stack" aria-labelledby="sign-in">' in page


@pytest.mark.parametrize("role", ["clinician", "reception", "readonly"])
def test_other_roles_are_led_to_search_without_onboarding(clinic_client: Callable[[str], Client], role: str) -> None:
    with clinic_context("bondi"):
        _, link = invitations.invite(email="new@bondi.example", role=role)
    form = {"name": "Kim", "password1": PASSWORD, "password2": PASSWORD}
    browser = clinic_client("bondi")
    assert browser.post(link.removeprefix("http://bondi.localhost:8000"), form)["Location"] == "/"
    assert "Getting started" not in text_of(browser, "/")


@pytest.fixture
def owner(force_login: Callable[..., Client]) -> Client:
    """Bondi's owner, the only user of a new clinic."""
    return force_login("bondi", role="owner")


def test_each_step_is_done_when_its_data_exists(
    owner: Client, staff_member: Callable[..., User], mark_imported: Callable[[str], None]
) -> None:
    assert "0 of 5 done" in text_of(owner)
    mark_imported("bondi")
    assert "2 of 5 done" in text_of(owner)
    with clinic_context("bondi"):
        ButtonClick.objects.create(kind="click", clicked_at=timezone.now())
    assert "3 of 5 done" in text_of(owner)
    add_app("bondi", staff_member("bondi", "owner"))
    assert "4 of 5 done" in text_of(owner)
    with clinic_context("bondi"):
        invitations.invite(email="colleague@bondi.example", role="reception")
    page = text_of(owner)
    assert "5 of 5 done" in page
    assert "Bondi Physio is ready." in page


def test_a_step_is_open_again_when_its_data_is_gone(owner: Client, mark_imported: Callable[[str], None]) -> None:
    mark_imported("bondi")
    with clinic_context("bondi"):
        Connection.objects.update(state="key_invalid", key_state="invalid")
    assert "1 of 5 done" in text_of(owner)


def test_each_clinic_has_its_own_steps(
    owner: Client, force_login: Callable[..., Client], mark_imported: Callable[[str], None]
) -> None:
    mark_imported("bondi")
    owner.post("/welcome/later", {"step": "button"})
    assert "3 of 5 done" in text_of(owner)
    assert "0 of 5 done" in text_of(force_login("harbour", role="owner"))


@pytest.mark.parametrize("step", ["sign-in", "button", "colleagues"])
def test_a_step_can_be_postponed_with_one_audit_entry(owner: Client, step: str) -> None:
    for _ in range(2):
        assert owner.post("/welcome/later", {"step": step})["Location"] == "/welcome"
    assert "1 of 5 done" in text_of(owner)
    with clinic_context("bondi"):
        entry = Event.objects.get(action="settings_changed")
    assert entry.details["onboarding"] == f"postponed: {step}"


@pytest.mark.parametrize("step", ["key", "import", "", "nothing", "sign-in\x00"])
def test_no_other_step_can_be_postponed(owner: Client, step: str) -> None:
    assert owner.post("/welcome/later", {"step": step}).status_code == 400
    assert "0 of 5 done" in text_of(owner)


def test_home_reminds_until_it_is_finished_and_settings_resume_it(owner: Client) -> None:
    owner.post("/welcome/later", {"step": "colleagues"})
    assert "Getting started: 1 of 5 done." in text_of(owner, "/")
    assert owner.post("/welcome/end")["Location"] == "/"
    assert "Getting started" not in text_of(owner, "/")
    assert "Getting started: 1 of 5 done." in text_of(owner, "/settings/")
    assert owner.post("/welcome/again")["Location"] == "/welcome"
    assert "Getting started: 0 of 5 done." in text_of(owner, "/")
    with clinic_context("bondi"):
        entries = list(Event.objects.filter(action="settings_changed").order_by("id").values_list("details", flat=True))
    assert [details["onboarding"] for details in entries] == ["postponed: colleagues", "finished", "resumed"]


def test_finishing_or_resuming_twice_writes_one_entry(owner: Client) -> None:
    for address in ("/welcome/again", "/welcome/end", "/welcome/end", "/welcome/again", "/welcome/again"):
        assert owner.post(address).status_code == 302
    with clinic_context("bondi"):
        entries = Event.objects.filter(action="settings_changed").order_by("id").values_list("details", flat=True)
        assert [details["onboarding"] for details in entries] == ["finished", "resumed"]


def test_there_is_no_reminder_once_all_is_done(owner: Client, mark_imported: Callable[[str], None]) -> None:
    mark_imported("bondi")
    for step in ("sign-in", "button", "colleagues"):
        owner.post("/welcome/later", {"step": step})
    assert "Getting started" not in text_of(owner, "/")
    with clinic_context("bondi"):
        assert ClinicSettings.objects.get().onboarding_finished_at
        Connection.objects.update(state="key_invalid", key_state="invalid")
    assert "Getting started" not in text_of(owner, "/")


def test_the_page_polls_the_import_and_reloads_when_it_is_done(
    owner: Client, mark_imported: Callable[[str], None]
) -> None:
    mark_imported("bondi")
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="patients").update(imported_at=None, walked=300, total=1200)
    assert 'hx-get="/welcome/import"' in text_of(owner)
    part = owner.get("/welcome/import", headers={"HX-Request": "true"})
    assert "300 of 1,200 records." in " ".join(part.content.decode().split())
    assert "HX-Refresh" not in part
    mark_imported("bondi")
    assert owner.get("/welcome/import", headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert 'hx-get="/welcome/import"' not in text_of(owner)


def test_the_first_key_leads_back_to_onboarding_but_a_later_one_does_not(sandbox: Sandbox, owner: Client) -> None:
    key = {"key": sandbox.store.key("bondi")}
    assert owner.post("/settings/key", key)["Location"] == "/welcome"
    assert "Connected to Bondi Physio (au1)" in text_of(owner)
    owner.post("/welcome/end")
    assert owner.post("/settings/key", key)["Location"] == "/settings/key"
