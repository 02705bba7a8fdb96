"""What somebody is typing and has not saved: theirs alone, and there again when they come back."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from launch.drafts import KEPT_FOR
from launch.models import Draft
from launch.tasks import forget_drafts
from sync.connection.connect import delete_account_data
from tenants.context import clinic_context
from tests.launch.conftest import access_log
from tests.launch.views.test_notes import Desk, note, told
from tests.launch.views.test_patient import merged_into


class Typist(Desk):
    """Somebody whose page sends what they type, with what its form says."""

    def __init__(self, browser: Client, patient_id: str = "42"):
        super().__init__(browser, patient_id)
        self.read(self.page())

    def read(self, page: str) -> str:
        self.offered = re.findall(r'name="offered" value="(\d+)"', page)[0]
        return page

    def page(self) -> str:
        page = super().page()
        self.view = re.findall(r'name="view" value="(\d+)"', page)[0]
        return page

    def type(self, text: str, **fields: Any) -> None:
        assert self.post("/draft", text=text, offered=self.offered, **fields).status_code == 204

    def box(self, name: str = "new-note") -> str:
        found = re.search(rf'<textarea id="{name}"[^>]*>(.*?)</textarea>', self.read(self.page()), re.DOTALL)
        assert found
        return found[1]


def held(label: str = "bondi") -> list[str]:
    with clinic_context(label):
        return list(Draft.objects.order_by("pk").values_list("text", flat=True))


@pytest.fixture
def typist(reception: Client) -> Typist:
    return Typist(reception)


def test_what_was_typed_is_there_again_and_said_not_to_be_saved(typist: Typist) -> None:
    assert typist.box() == ""
    typist.type("Prefers morn")
    typist.type("Prefers mornings")
    assert held() == ["Prefers mornings"]
    assert typist.box() == "Prefers mornings"
    assert "You had typed this and not saved it." in typist.page()
    assert told() == []


def test_saving_the_note_ends_the_draft(typist: Typist) -> None:
    typist.type("Prefers mornings")
    typist.box()
    page = typist.post(text="Prefers mornings", offered=typist.offered).content.decode()
    assert "not saved" not in page.partition("own-notes__list")[0].partition("data-failed")[0]
    assert held() == []
    assert typist.box() == ""


def test_a_draft_that_comes_after_its_note_was_saved_is_none(typist: Typist) -> None:
    typist.post(text="Prefers mornings", offered="0")
    typist.type("Prefers morn")
    typist.type("Prefers mornings")
    assert held() == []
    typist.type("Prefers mornings, not Mondays")
    assert held() == ["Prefers mornings, not Mondays"]


@pytest.mark.parametrize("text", ["", "  ", "\x00"])
def test_an_emptied_box_is_no_draft(typist: Typist, text: str) -> None:
    typist.type("Prefers mornings")
    typist.type(text)
    assert held() == []


@pytest.mark.parametrize("htmx", [True, False])
def test_a_draft_is_given_up(typist: Typist, htmx: bool) -> None:
    typist.type("Prefers mornings")
    typist.box()
    typist.post("/draft", htmx=htmx, text="Prefers mornings", give_up="yes", offered=typist.offered)
    assert held() == []
    assert typist.box() == ""


def test_it_is_nobody_elses_and_of_this_patient_and_clinic(
    typist: Typist, force_login: Callable[..., Client], add_patient: Callable[..., str]
) -> None:
    add_patient("bondi", "43")
    typist.type("Prefers mornings")
    others = (
        Typist(force_login("bondi", role="clinician")),
        Typist(force_login("harbour")),
        Typist(typist.browser, "43"),
    )
    assert [other.box() for other in others] == ["", "", ""]
    assert all("Prefers mornings" not in other.page() for other in others)


def test_two_tabs_lose_nothing_of_each_other(typist: Typist) -> None:
    other = Typist(typist.browser)
    typist.type("Prefers mornings")
    other.type("Knee is better")
    assert held() == ["Prefers mornings", "Knee is better"]
    third = Typist(typist.browser)
    assert third.box() == "Prefers mornings\n\nKnee is better"
    typist.type("Prefers mornings, not Mondays")
    third.post(text="Prefers mornings\n\nKnee is better", offered=third.offered)
    assert held() == ["Prefers mornings, not Mondays"]


def test_an_edit_is_kept_with_the_version_that_it_was_typed_over(
    typist: Typist, force_login: Callable[..., Client]
) -> None:
    typist.write("Prefers mornings")
    pk = note().pk
    typist.type("Prefers mornings or noon", note=pk, version=1)
    colleague = Desk(force_login("bondi", role="clinician"))
    colleague.post(f"/{pk}", text="Prefers evenings", version=1)
    assert typist.box(f"note-{pk}") == "Prefers mornings or noon"
    assert typist.box() == ""
    form = typist.page().partition('class="own-note__edit" open')[2]
    version, offered = (re.findall(rf'name="{name}" value="(\d+)"', form)[0] for name in ("version", "offered"))
    page = typist.post(f"/{pk}", text="Prefers mornings or noon", version=version, offered=offered).content.decode()
    assert "Somebody else was quicker" in page
    assert held() == ["Prefers mornings or noon"]
    typist.post(f"/{pk}", text="Evenings or noon", version=2, offered=offered)
    assert held() == []


def test_words_typed_over_a_note_that_was_deleted_are_offered_as_a_new_one(typist: Typist) -> None:
    typist.write("Prefers mornings")
    typist.type("Prefers noon", note=note().pk, version=1)
    typist.post(f"/{note().pk}/delete")
    assert typist.box() == "Prefers noon"
    typist.post(text="Prefers noon", offered=typist.offered)
    assert held() == []


def test_a_draft_moves_on_with_a_merged_patient_and_is_shown_on_a_deleted_one(
    typist: Typist, add_patient: Callable[..., str]
) -> None:
    typist.type("Prefers mornings")
    add_patient("bondi", "44")
    add_patient("bondi", "42", updated_at="2026-02-01T00:00:00Z", **merged_into("44"))
    survivor = Typist(typist.browser, "44")
    assert survivor.box() == "Prefers mornings"
    survivor.type("Prefers mornings and noon")
    assert held() == ["Prefers mornings and noon"]
    add_patient("bondi", "44", updated_at="2026-02-02T00:00:00Z", deleted_at="2026-02-02T00:00:00Z")
    page = survivor.browser.get("/patients/44/").content.decode()
    assert "Prefers mornings and noon" in page
    assert 'id="new-note"' not in page


def test_a_draft_needs_a_view_of_ones_own_and_a_role_that_writes(
    typist: Typist, force_login: Callable[..., Client], add_patient: Callable[..., str]
) -> None:
    add_patient("bondi", "43")
    assert typist.browser.post("/patients/43/notes/draft", {"view": typist.view, "text": "x"}).status_code == 403
    reader = force_login("bondi", role="readonly")
    reader.get("/patients/42/")
    assert reader.post("/patients/42/notes/draft", {"view": "2", "text": "x"}).status_code == 403
    assert typist.post("/draft", text="x", note=99).status_code == 404
    assert held() == []


@pytest.mark.parametrize("wrong", ["x", "-1", "9" * 18, "9" * 5000], ids=lambda wrong: wrong[:3])
def test_a_form_that_somebody_tampered_with_harms_nobody(typist: Typist, wrong: str) -> None:
    typist.type("Prefers mornings", version=wrong)
    typist.offered = wrong
    typist.type("Prefers noon", version=wrong)
    assert held() == ["Prefers noon"]


def test_typing_writes_no_line(typist: Typist) -> None:
    before = access_log("bondi")
    typist.type("Prefers mornings")
    assert access_log("bondi") == before


def test_after_a_week_it_is_forgotten(typist: Typist, force_login: Callable[..., Client]) -> None:
    typist.type("Prefers mornings")
    other = Typist(force_login("harbour"))
    other.type("Knee is better")
    with clinic_context("bondi"):
        Draft.objects.update(saved_at=timezone.now() - KEPT_FOR - timedelta(minutes=1))
    assert typist.box() == ""
    forget_drafts()
    assert held() == []
    assert held("harbour") == ["Knee is better"]


def test_another_cliniko_account_offers_it_to_no_stranger(typist: Typist, add_patient: Callable[..., str]) -> None:
    typist.type("Prefers mornings")
    with clinic_context("bondi"):
        delete_account_data()
    add_patient("bondi", "42", first_name="Somebody", last_name="Else")
    assert held() == []


def test_markup_in_it_is_inert(typist: Typist) -> None:
    typist.type("</textarea><img src=x>")
    assert "<img src=x" not in typist.page()
