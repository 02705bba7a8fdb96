"""The fresh copy that an open patient screen asks for."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from sync.refresh import Outcome
from tests.launch.conftest import Cliniko, access_log, written
from tests.launch.views.test_patient import merged_into
from tests.payloads import patient_payload

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://bondi.localhost/patients/42/"}


def form_of(page: str) -> dict[str, str]:
    """The fields that the page sends along when it asks."""
    return dict(re.findall(r'<input type="hidden" name="(view|version)" value="(\w+)">', page))


def ask(browser: Client, form: dict[str, str], patient_id: str = "42") -> Any:
    return browser.post(f"/patients/{patient_id}/fresh", form, headers=HTMX)


@pytest.fixture
def form(reception: Client) -> dict[str, str]:
    """Bondi's receptionist has Ada's page open."""
    return form_of(reception.get("/patients/42/").content.decode())


def test_an_unchanged_record_changes_the_line_of_freshness_alone(
    reception: Client, form: dict[str, str], cliniko: Cliniko
) -> None:
    cliniko.outcome = Outcome.FRESH
    answer = ask(reception, form)
    assert answer.status_code == 200
    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#freshness", "outerHTML")
    assert "Lindqvist" not in answer.content.decode()
    assert cliniko.asked == ["42"]


def test_a_changed_record_comes_whole(reception: Client, form: dict[str, str], cliniko: Cliniko) -> None:
    moved = patient_payload("42", city="Coogee", updated_at="2026-02-01T00:00:00Z")
    cliniko.outcome, cliniko.then = Outcome.FRESH, written(moved)
    answer = ask(reception, form)
    assert "HX-Retarget" not in answer
    assert "Coogee" in answer.content.decode()


def test_it_does_not_ask_again_by_itself(reception: Client, form: dict[str, str], cliniko: Cliniko) -> None:
    cliniko.outcome = Outcome.UNREACHABLE
    assert 'hx-trigger="submit"' in ask(reception, form).content.decode()


def test_it_asks_again_when_somebody_elses_question_was_under_way(
    reception: Client, form: dict[str, str], cliniko: Cliniko
) -> None:
    cliniko.outcome = Outcome.BUSY
    assert 'hx-trigger="load delay:2500ms, submit"' in ask(reception, form).content.decode()


def test_it_belongs_to_its_view_and_adds_no_row(reception: Client, form: dict[str, str], cliniko: Cliniko) -> None:
    cliniko.outcome = Outcome.FRESH
    ask(reception, form | {"version": "other"})
    assert access_log("bondi") == [("reception@clinic.example", "viewed", "42")]


@pytest.mark.parametrize("view", ["", "0", "x", "999999", "9" * 30, "٤", "-1"])
def test_without_a_view_nothing_is_shown(reception: Client, form: dict[str, str], cliniko: Cliniko, view: str) -> None:
    answer = ask(reception, form | {"view": view})
    assert (answer.status_code, answer.content) == (403, b"")
    assert cliniko.asked == []


def test_a_view_of_one_patient_shows_no_other(
    reception: Client, form: dict[str, str], add_patient: Callable[..., str]
) -> None:
    add_patient("bondi", "43")
    assert ask(reception, form, patient_id="43").status_code == 403


def test_a_view_of_a_colleague_does_not_count(
    reception: Client, form: dict[str, str], force_login: Callable[..., Client]
) -> None:
    assert ask(force_login("bondi", role="clinician"), form).status_code == 403


def test_a_view_at_one_clinic_does_not_count_at_the_other(
    reception: Client, form: dict[str, str], force_login: Callable[..., Client]
) -> None:
    # Same role, same e-mail, same user id; only the row of the view is not there.
    assert ask(force_login("harbour"), form).status_code == 403


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.RATE_LIMITED, "Cliniko asks us to wait a moment"),
        (Outcome.UNREACHABLE, "Cliniko does not answer right now"),
        (Outcome.KEY_INVALID, "does not accept this clinic&#x27;s key"),
        (Outcome.KEY_FORBIDDEN, "may no longer read this patient"),
        (Outcome.NO_KEY, "not connected to Cliniko"),
    ],
)
def test_each_trouble_has_a_true_banner_over_the_mirrors_copy(
    reception: Client, form: dict[str, str], cliniko: Cliniko, outcome: Outcome, words: str
) -> None:
    cliniko.outcome = outcome
    answer = ask(reception, form)
    assert answer.status_code == 200
    assert words in answer.content.decode().replace("&#39;", "&#x27;")


@pytest.mark.parametrize(("role", "step"), [("owner", ">Clinic settings</a>"), ("reception", "tell an owner or admin")])
def test_the_banners_next_step_is_one_that_this_person_can_take(
    two_clinics: None, force_login: Callable[..., Client], cliniko: Cliniko, role: str, step: str
) -> None:
    browser = force_login("bondi", role=role)
    form = form_of(browser.get("/patients/42/").content.decode())
    cliniko.outcome = Outcome.KEY_INVALID
    assert step in ask(browser, form).content.decode()


@pytest.mark.parametrize("outcome", [Outcome.FRESH, Outcome.BUSY])
def test_all_well_has_no_banner(reception: Client, form: dict[str, str], cliniko: Cliniko, outcome: Outcome) -> None:
    cliniko.outcome = outcome
    assert "freshness__banner" not in ask(reception, form).content.decode()


def test_somebody_merged_meanwhile_leads_to_the_survivor(
    reception: Client, form: dict[str, str], cliniko: Cliniko
) -> None:
    merged = patient_payload("42", updated_at="2026-02-01T00:00:00Z", **merged_into("43"))
    cliniko.outcome, cliniko.then = Outcome.FRESH, written(merged)
    assert ask(reception, form)["HX-Redirect"] == "/patients/43/?merged=42"


def test_somebody_deleted_meanwhile_becomes_a_tombstone(
    reception: Client, form: dict[str, str], cliniko: Cliniko
) -> None:
    gone = patient_payload("42", updated_at="2026-02-01T00:00:00Z", deleted_at="2026-02-01T00:00:00Z")
    cliniko.outcome, cliniko.then = Outcome.UNKNOWN, written(gone)
    page = ask(reception, form).content.decode()
    assert "was deleted in Cliniko" in page
    assert "0491 570 006" not in page


def test_without_htmx_the_page_is_loaded_again(reception: Client, form: dict[str, str], cliniko: Cliniko) -> None:
    cliniko.outcome = Outcome.FRESH
    answer = reception.post("/patients/42/fresh", form)
    assert (answer.status_code, answer["Location"]) == (302, "/patients/42/")


def test_it_takes_post_only(reception: Client) -> None:
    assert reception.get("/patients/42/fresh").status_code == 405


def test_when_the_session_is_over_it_leads_to_sign_in(
    form: dict[str, str], clinic_client: Callable[[str], Client]
) -> None:
    answer = ask(clinic_client("bondi"), form)
    assert answer.status_code == 401
    assert answer["HX-Redirect"].startswith("/login?t=")
