"""The clinic's own notes about a patient."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from audit.models import Event
from launch.models import Note, NoteVersion
from sync.connection.connect import delete_account_data
from tenants.context import clinic_context
from tests.launch.conftest import access_log
from tests.launch.views.test_patient import merged_into

HTMX = {"HX-Request": "true"}


class Desk:
    """A user with a patient's page open."""

    def __init__(self, browser: Client, patient_id: str = "42"):
        self.browser = browser
        self.patient_id = patient_id
        self.view = re.findall(r'name="view" value="(\d+)"', self.page())[0]

    def page(self) -> str:
        return self.browser.get(f"/patients/{self.patient_id}/").content.decode()

    def post(self, what: str = "", htmx: bool = True, **fields: Any) -> Any:
        path = f"/patients/{self.patient_id}/notes{what}"
        return self.browser.post(path, {"view": self.view} | fields, headers=HTMX if htmx else {})

    def write(self, text: str) -> str:
        response: str = self.post(text=text).content.decode()
        return response


def latest_note(label: str = "bondi") -> Note:
    with clinic_context(label):
        return Note.objects.latest("pk")


def versions(label: str = "bondi") -> list[tuple[int, str]]:
    with clinic_context(label):
        return list(NoteVersion.objects.order_by("number").values_list("number", "text"))


@pytest.fixture
def desk(reception: Client) -> Desk:
    return Desk(reception)


@pytest.fixture
def colleague(two_clinics: None, force_login: Callable[..., Client]) -> Desk:
    return Desk(force_login("bondi", role="clinician"))


def test_a_note_shows_author_and_time_on_everyones_screen(desk: Desk, colleague: Desk) -> None:
    assert "Prefers mornings" in desk.write("Prefers mornings")
    page = colleague.page()
    assert "Prefers mornings" in page
    assert re.search(r"Robin Reception</bdi>, \w{3} \d+ \w{3}, \d+:\d\d [ap]m", page)


def test_a_long_note_is_stored_whole(desk: Desk) -> None:
    words = " ".join(f"word{number}" for number in range(5000))
    desk.write(words)
    assert versions() == [(1, words)]


def test_a_note_belongs_to_one_clinic_and_patient(
    desk: Desk, force_login: Callable[..., Client], add_patient: Callable[..., str]
) -> None:
    add_patient("bondi", "43")
    desk.write("Prefers mornings")
    assert "Prefers mornings" not in Desk(force_login("harbour")).page()
    assert "Prefers mornings" not in Desk(desk.browser, "43").page()


@pytest.mark.parametrize(("role", "may"), [("owner", True), ("admin", True), ("clinician", True), ("readonly", False)])
def test_read_only_users_cannot_write(
    two_clinics: None, force_login: Callable[..., Client], role: str, may: bool
) -> None:
    browser = force_login("bondi", role=role)
    assert ('id="new-note"' in browser.get("/patients/42/").content.decode()) is may
    with clinic_context("bondi"):
        view = Event.objects.latest("pk").pk
    response = browser.post("/patients/42/notes", {"view": view, "text": "Hello"}, headers=HTMX)
    assert response.status_code == (200 if may else 403)


def test_it_works_without_javascript(desk: Desk) -> None:
    response = desk.post(htmx=False, text="Prefers mornings")
    assert (response.status_code, response["Location"]) == (302, "/patients/42/#team-notes")
    assert "Prefers mornings" in desk.page()


@pytest.mark.parametrize("text", ["", "  \n ", "\x00"])
def test_an_empty_note_is_refused(desk: Desk, text: str) -> None:
    assert "A note can&#x27;t be empty." in desk.write(text)
    with clinic_context("bondi"):
        assert not Note.objects.exists()


def test_markup_in_a_note_is_inert(desk: Desk) -> None:
    for page in (desk.write("<img src=x onerror=alert(1)></textarea>"), desk.page()):
        assert "<img src=x" not in page
        assert page.count("</textarea>") == page.count("<textarea")


def test_an_edit_keeps_the_earlier_version(desk: Desk, colleague: Desk) -> None:
    desk.write("Prefers mornings")
    page = colleague.post(f"/{latest_note().pk}", text="Prefers evenings", version=1).content.decode()
    assert "edited by <bdi>Robin Clinician</bdi>" in page
    assert page.index("Prefers evenings") < page.index("Earlier versions") < page.rindex("Prefers mornings")
    assert versions() == [(1, "Prefers mornings"), (2, "Prefers evenings")]


@pytest.mark.parametrize(("htmx", "status"), [(True, 200), (False, 409)])
def test_the_later_of_two_edits_gets_both_texts(desk: Desk, colleague: Desk, htmx: bool, status: int) -> None:
    desk.write("Prefers mornings")
    desk.post(f"/{latest_note().pk}", text="Prefers evenings", version=1)
    response = colleague.post(f"/{latest_note().pk}", htmx=htmx, text="Prefers noon", version=1)
    page = response.content.decode()
    assert response.status_code == status
    assert "This note has changed" in page
    assert "Prefers evenings" in page
    assert "Prefers noon</textarea>" in page
    assert latest_note().text == "Prefers evenings"
    colleague.post(f"/{latest_note().pk}", text="Evenings or noon", version=2)
    assert [text for _, text in versions()] == ["Prefers mornings", "Prefers evenings", "Evenings or noon"]


def test_an_edit_of_a_deleted_note_is_not_lost(desk: Desk, colleague: Desk) -> None:
    desk.write("Prefers mornings")
    desk.post(f"/{latest_note().pk}/delete")
    page = colleague.post(f"/{latest_note().pk}", text="Prefers noon", version=1).content.decode()
    assert "deleted this note" in page
    assert "Prefers noon</textarea>" in page
    assert 'action="/patients/42/notes"' in page


def test_pinned_notes_come_first(desk: Desk) -> None:
    desk.write("Older")
    pinned = latest_note().pk
    desk.write("Newer")
    assert (page := desk.page()).index("Newer") < page.index("Older")
    page = desk.post(f"/{pinned}/pin", pinned="yes").content.decode()
    assert page.index("Older") < page.index("Newer")
    page = desk.post(f"/{pinned}/pin", pinned="no").content.decode()
    assert page.index("Newer") < page.index("Older")


def test_a_deleted_note_can_be_restored_for_a_day_and_its_history_stays(desk: Desk) -> None:
    desk.write("Prefers mornings")
    page = desk.post(f"/{latest_note().pk}/delete").content.decode()
    assert "Prefers mornings" not in page
    assert "deleted by" in page
    assert "Prefers mornings" in desk.post(f"/{latest_note().pk}/restore").content.decode()
    desk.post(f"/{latest_note().pk}/delete")
    with clinic_context("bondi"):
        Note.objects.update(deleted_at=timezone.now() - timedelta(days=2))
    assert "deleted by" not in desk.page()
    assert versions() == [(1, "Prefers mornings")]


def test_nothing_is_written_or_deleted_without_an_audit_entry(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write("Prefers mornings")
    desk.post(f"/{latest_note().pk}/delete")
    assert [action for _, action, _ in access_log("bondi")] == ["viewed", "note_written", "note_deleted"]

    def refuse(**fields: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(Event.objects, "create", refuse)
    assert desk.post(text="Unseen").status_code == 503
    assert versions() == [(1, "Prefers mornings")]


def test_pin_and_undo_write_audit_entries_unless_nothing_changes(desk: Desk) -> None:
    desk.write("Prefers mornings")
    for what in ("/pin", "/pin", "/delete", "/delete", "/restore", "/restore"):
        desk.post(f"/{latest_note().pk}{what}", pinned="yes")
    actions = [action for _, action, _ in access_log("bondi")]
    assert actions == ["viewed", "note_written", "note_written", "note_deleted", "note_written"]
    with clinic_context("bondi"):
        assert [event.details for event in Event.objects.order_by("pk")] == [
            {},
            {},
            {"pinned": "yes"},
            {},
            {"undone": "delete"},
        ]


def test_a_delete_cannot_be_undone_after_a_day(desk: Desk) -> None:
    desk.write("Prefers mornings")
    desk.post(f"/{latest_note().pk}/delete")
    with clinic_context("bondi"):
        Note.objects.update(deleted_at=timezone.now() - timedelta(days=2))
    assert "Prefers mornings" not in desk.post(f"/{latest_note().pk}/restore").content.decode()
    assert latest_note().deleted_at is not None


def test_a_refusal_writes_an_audit_entry(two_clinics: None, force_login: Callable[..., Client]) -> None:
    desk = Desk.__new__(Desk)
    desk.browser, desk.patient_id, desk.view = force_login("bondi", role="readonly"), "42", "1"
    assert desk.post(text="Hello").status_code == 403
    assert access_log("bondi") == [("readonly@clinic.example", "denied", "42")]


@pytest.mark.parametrize("version", ["", "x", "-1", "²", "9" * 5000], ids=lambda version: version[:3])
def test_an_invalid_version_overwrites_nothing(desk: Desk, version: str) -> None:
    desk.write("Prefers mornings")
    response = desk.post(f"/{latest_note().pk}", text="Prefers noon", version=version)
    assert "Prefers noon</textarea>" in response.content.decode()
    assert latest_note().text == "Prefers mornings"


def test_notes_of_a_merged_patient_are_on_the_survivors_page(desk: Desk, add_patient: Callable[..., str]) -> None:
    desk.write("Prefers mornings")
    add_patient("bondi", "44")
    add_patient("bondi", "42", updated_at="2026-02-01T00:00:00Z", **merged_into("43"))
    add_patient("bondi", "43", updated_at="2026-02-01T00:00:00Z", **merged_into("44"))
    survivor = Desk(desk.browser, "44")
    assert "Prefers mornings" in survivor.page()
    assert survivor.post(f"/{latest_note().pk}", text="Prefers noon", version=1).status_code == 200
    assert "Prefers noon" in survivor.page()


def test_notes_of_a_deleted_patient_stay_readable(desk: Desk, add_patient: Callable[..., str]) -> None:
    desk.write("Prefers mornings")
    add_patient("bondi", "42", updated_at="2026-02-01T00:00:00Z", deleted_at="2026-02-01T00:00:00Z")
    page = desk.page()
    assert "Prefers mornings" in page
    assert 'id="new-note"' not in page


def test_a_note_can_only_be_reached_through_its_own_patient_and_clinic(
    desk: Desk, force_login: Callable[..., Client], add_patient: Callable[..., str]
) -> None:
    desk.write("Prefers mornings")
    add_patient("bondi", "43")
    for other in (Desk(desk.browser, "43"), Desk(force_login("harbour"))):
        assert other.post(f"/{latest_note().pk}/delete").status_code == 404
    assert latest_note().deleted_at is None


def test_nothing_is_written_without_the_users_own_view(desk: Desk, colleague: Desk) -> None:
    colleague.view = desk.view
    assert colleague.post(text="Hello").status_code == 403
    assert versions() == []


def test_another_cliniko_account_hides_all_notes(
    desk: Desk, add_patient: Callable[..., str], mark_imported: Callable[[str], None]
) -> None:
    desk.write("Prefers mornings")
    with clinic_context("bondi"):
        delete_account_data()
    add_patient("bondi", "42", first_name="Other", last_name="Person")
    assert "Prefers mornings" not in desk.page()
    assert versions() == [(1, "Prefers mornings")]
