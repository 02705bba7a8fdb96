"""Drafts: text that a user typed and hasn't saved is theirs alone, and restored when they come back."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from launch.drafts import STORED_FOR
from launch.models import Draft
from launch.tasks import delete_expired_drafts
from sync.connection.connect import delete_account_data
from tenants.context import clinic_context
from tests.launch.conftest import access_log
from tests.launch.views.test_notes import Desk, latest_note, versions
from tests.launch.views.test_patient import merged_into


class Typist(Desk):
    """A user whose page saves what they type, with the values of its form."""

    def __init__(self, browser: Client, patient_id: str = "42"):
        super().__init__(browser, patient_id)
        self.read(self.page())

    def read(self, page: str) -> str:
        self.restored = re.findall(r'name="restored" value="(\d+)"', page)[0]
        return page

    def page(self) -> str:
        page = super().page()
        self.view = re.findall(r'name="view" value="(\d+)"', page)[0]
        return page

    def type(self, text: str, **fields: Any) -> None:
        assert self.post("/draft", text=text, restored=self.restored, **fields).status_code == 204

    def box(self, name: str = "new-note") -> str:
        found = re.search(rf'<textarea id="{name}"[^>]*>(.*?)</textarea>', self.read(self.page()), re.DOTALL)
        assert found
        return found[1]


def saved(label: str = "bondi") -> list[str]:
    with clinic_context(label):
        return list(Draft.objects.order_by("pk").values_list("text", flat=True))


@pytest.fixture
def typist(reception: Client) -> Typist:
    return Typist(reception)


def test_typed_text_is_restored_and_marked_as_unsaved(typist: Typist) -> None:
    assert typist.box() == ""
    typist.type("Prefers morn")
    typist.type("Prefers mornings")
    assert saved() == ["Prefers mornings"]
    assert typist.box() == "Prefers mornings"
    assert "You typed this but didn't save it." in typist.page()
    assert versions() == []


def test_saving_the_note_deletes_the_draft(typist: Typist) -> None:
    typist.type("Prefers mornings")
    typist.box()
    page = typist.post(text="Prefers mornings", restored=typist.restored).content.decode()
    assert "You typed this but didn't save it." not in page
    assert saved() == []
    assert typist.box() == ""


def test_a_draft_that_arrives_after_its_note_is_ignored(typist: Typist) -> None:
    typist.post(text="Prefers mornings", restored="0")
    typist.type("Prefers morn")
    typist.type("Prefers mornings")
    assert saved() == []
    typist.type("Prefers mornings, not Mondays")
    assert saved() == ["Prefers mornings, not Mondays"]


@pytest.mark.parametrize("text", ["", "  ", "\x00"])
def test_emptying_the_box_deletes_the_draft(typist: Typist, text: str) -> None:
    typist.type("Prefers mornings")
    typist.type(text)
    assert saved() == []


@pytest.mark.parametrize("htmx", [True, False])
def test_a_draft_can_be_discarded(typist: Typist, htmx: bool) -> None:
    typist.type("Prefers mornings")
    typist.box()
    typist.post("/draft", htmx=htmx, text="Prefers mornings", discard="yes", restored=typist.restored)
    assert saved() == []
    assert typist.box() == ""


def test_a_draft_is_private_to_its_user_patient_and_clinic(
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


def test_two_tabs_keep_each_others_drafts(typist: Typist) -> None:
    other = Typist(typist.browser)
    typist.type("Prefers mornings")
    other.type("Knee is better")
    assert saved() == ["Prefers mornings", "Knee is better"]
    third = Typist(typist.browser)
    assert third.box() == "Prefers mornings\n\nKnee is better"
    typist.type("Prefers mornings, not Mondays")
    third.post(text="Prefers mornings\n\nKnee is better", restored=third.restored)
    assert saved() == ["Prefers mornings, not Mondays"]


def test_the_draft_of_an_edit_keeps_the_version_it_began_with(
    typist: Typist, force_login: Callable[..., Client]
) -> None:
    typist.write("Prefers mornings")
    pk = latest_note().pk
    typist.type("Prefers mornings or noon", note=pk, version=1)
    colleague = Desk(force_login("bondi", role="clinician"))
    colleague.post(f"/{pk}", text="Prefers evenings", version=1)
    assert typist.box(f"note-{pk}") == "Prefers mornings or noon"
    assert typist.box() == ""
    form = typist.page().partition('class="team-note__edit" open')[2]
    version, restored = (re.findall(rf'name="{name}" value="(\d+)"', form)[0] for name in ("version", "restored"))
    page = typist.post(f"/{pk}", text="Prefers mornings or noon", version=version, restored=restored).content.decode()
    assert "This note has changed" in page
    assert saved() == ["Prefers mornings or noon"]
    typist.post(f"/{pk}", text="Evenings or noon", version=2, restored=restored)
    assert saved() == []


def test_the_draft_for_a_deleted_note_becomes_a_new_note(typist: Typist) -> None:
    typist.write("Prefers mornings")
    typist.type("Prefers noon", note=latest_note().pk, version=1)
    typist.post(f"/{latest_note().pk}/delete")
    assert typist.box() == "Prefers noon"
    typist.post(text="Prefers noon", restored=typist.restored)
    assert saved() == []


def test_a_draft_follows_a_merge_and_is_shown_on_a_deleted_patient(
    typist: Typist, add_patient: Callable[..., str]
) -> None:
    typist.type("Prefers mornings")
    add_patient("bondi", "44")
    add_patient("bondi", "42", updated_at="2026-02-01T00:00:00Z", **merged_into("44"))
    survivor = Typist(typist.browser, "44")
    assert survivor.box() == "Prefers mornings"
    survivor.type("Prefers mornings and noon")
    assert saved() == ["Prefers mornings and noon"]
    add_patient("bondi", "44", updated_at="2026-02-02T00:00:00Z", deleted_at="2026-02-02T00:00:00Z")
    page = survivor.browser.get("/patients/44/").content.decode()
    assert "Prefers mornings and noon" in page
    assert 'id="new-note"' not in page


def test_a_draft_needs_the_users_own_view_and_a_role_that_writes(
    typist: Typist, force_login: Callable[..., Client], add_patient: Callable[..., str]
) -> None:
    add_patient("bondi", "43")
    assert typist.browser.post("/patients/43/notes/draft", {"view": typist.view, "text": "x"}).status_code == 403
    reader = force_login("bondi", role="readonly")
    reader.get("/patients/42/")
    assert reader.post("/patients/42/notes/draft", {"view": "2", "text": "x"}).status_code == 403
    assert typist.post("/draft", text="x", note=99).status_code == 404
    assert saved() == []


@pytest.mark.parametrize("wrong", ["x", "-1", "9" * 18, "9" * 5000], ids=lambda wrong: wrong[:3])
def test_a_tampered_form_is_harmless(typist: Typist, wrong: str) -> None:
    typist.type("Prefers mornings", version=wrong)
    typist.restored = wrong
    typist.type("Prefers noon", version=wrong)
    assert saved() == ["Prefers noon"]


def test_typing_writes_no_audit_entry(typist: Typist) -> None:
    before = access_log("bondi")
    typist.type("Prefers mornings")
    assert access_log("bondi") == before


def test_a_draft_is_deleted_after_a_week(typist: Typist, force_login: Callable[..., Client]) -> None:
    typist.type("Prefers mornings")
    other = Typist(force_login("harbour"))
    other.type("Knee is better")
    with clinic_context("bondi"):
        Draft.objects.update(saved_at=timezone.now() - STORED_FOR - timedelta(minutes=1))
    assert typist.box() == ""
    delete_expired_drafts()
    assert saved() == []
    assert saved("harbour") == ["Knee is better"]


def test_another_cliniko_account_deletes_drafts(typist: Typist, add_patient: Callable[..., str]) -> None:
    typist.type("Prefers mornings")
    with clinic_context("bondi"):
        delete_account_data()
    add_patient("bondi", "42", first_name="Other", last_name="Person")
    assert saved() == []


def test_markup_in_it_is_inert(typist: Typist) -> None:
    typist.type("</textarea><img src=x>")
    assert "<img src=x" not in typist.page()
