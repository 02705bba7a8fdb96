"""The fresh copy that an open patient screen requests."""

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
    """Return the fields of the form that requests a fresh copy."""
    return dict(re.findall(r'<input type="hidden" name="(view|version)" value="(\w+)">', page))


def refresh(browser: Client, form: dict[str, str], patient_id: str = "42") -> Any:
    return browser.post(f"/patients/{patient_id}/fresh", form, headers=HTMX)


@pytest.fixture
def form(reception: Client) -> dict[str, str]:
    """The form of Ada's page, opened by bondi's receptionist."""
    return form_of(reception.get("/patients/42/").content.decode())


def test_an_unchanged_record_replaces_only_the_freshness_line(
    reception: Client, form: dict[str, str], cliniko: Cliniko
) -> None:
    cliniko.outcome = Outcome.FRESH
    response = refresh(reception, form)
    assert response.status_code == 200
    assert (response["HX-Retarget"], response["HX-Reswap"]) == ("#freshness", "outerHTML")
    assert "Lindqvist" not in response.content.decode()
    assert cliniko.requested == ["42"]


def test_a_changed_record_replaces_the_screen(reception: Client, form: dict[str, str], cliniko: Cliniko) -> None:
    moved = patient_payload("42", city="Coogee", updated_at="2026-02-01T00:00:00Z")
    cliniko.outcome, cliniko.then = Outcome.FRESH, written(moved)
    response = refresh(reception, form)
    assert "HX-Retarget" not in response
    assert "Coogee" in response.content.decode()


def test_it_does_not_repeat_by_itself(reception: Client, form: dict[str, str], cliniko: Cliniko) -> None:
    cliniko.outcome = Outcome.UNREACHABLE
    assert 'hx-trigger="submit"' in refresh(reception, form).content.decode()


def test_it_repeats_while_another_request_is_running(reception: Client, form: dict[str, str], cliniko: Cliniko) -> None:
    cliniko.outcome = Outcome.BUSY
    assert 'hx-trigger="load delay:2500ms, submit"' in refresh(reception, form).content.decode()


def test_it_writes_no_audit_entry_of_its_own(reception: Client, form: dict[str, str], cliniko: Cliniko) -> None:
    cliniko.outcome = Outcome.FRESH
    refresh(reception, form | {"version": "other"})
    assert access_log("bondi") == [("reception@clinic.example", "viewed", "42")]


@pytest.mark.parametrize("view", ["", "0", "x", "999999", "9" * 30, "٤", "-1"])
def test_nothing_is_shown_without_a_view(reception: Client, form: dict[str, str], cliniko: Cliniko, view: str) -> None:
    response = refresh(reception, form | {"view": view})
    assert (response.status_code, response.content) == (403, b"")
    assert cliniko.requested == []


def test_a_view_of_one_patient_does_not_show_another(
    reception: Client, form: dict[str, str], add_patient: Callable[..., str]
) -> None:
    add_patient("bondi", "43")
    assert refresh(reception, form, patient_id="43").status_code == 403


def test_a_colleagues_view_does_not_count(
    reception: Client, form: dict[str, str], force_login: Callable[..., Client]
) -> None:
    assert refresh(force_login("bondi", role="clinician"), form).status_code == 403


def test_a_view_at_another_clinic_does_not_count(
    reception: Client, form: dict[str, str], force_login: Callable[..., Client]
) -> None:
    # Same role, email and user ID; only the view's audit entry is missing.
    assert refresh(force_login("harbour"), form).status_code == 403


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.RATE_LIMITED, "Cliniko is busy. Showing our copy from"),
        (Outcome.UNREACHABLE, "Cliniko isn&#x27;t responding. Showing our copy from"),
        (Outcome.KEY_INVALID, "no longer accepts this clinic&#x27;s API key"),
        (Outcome.KEY_FORBIDDEN, "can no longer read this patient"),
        (Outcome.NO_KEY, "isn&#x27;t connected to Cliniko"),
    ],
)
def test_each_problem_has_a_banner_over_the_mirrors_copy(
    reception: Client, form: dict[str, str], cliniko: Cliniko, outcome: Outcome, words: str
) -> None:
    cliniko.outcome = outcome
    response = refresh(reception, form)
    assert response.status_code == 200
    assert words in response.content.decode().replace("&#39;", "&#x27;")


@pytest.mark.parametrize(("role", "step"), [("owner", ">Clinic settings</a>"), ("reception", "Ask an owner or admin")])
def test_the_banners_next_step_suits_the_role(
    two_clinics: None, force_login: Callable[..., Client], cliniko: Cliniko, role: str, step: str
) -> None:
    browser = force_login("bondi", role=role)
    form = form_of(browser.get("/patients/42/").content.decode())
    cliniko.outcome = Outcome.KEY_INVALID
    assert step in refresh(browser, form).content.decode()


@pytest.mark.parametrize("outcome", [Outcome.FRESH, Outcome.BUSY])
def test_there_is_no_banner_without_a_problem(
    reception: Client, form: dict[str, str], cliniko: Cliniko, outcome: Outcome
) -> None:
    cliniko.outcome = outcome
    assert "freshness__banner" not in refresh(reception, form).content.decode()


def test_a_patient_merged_since_redirects_to_the_survivor(
    reception: Client, form: dict[str, str], cliniko: Cliniko
) -> None:
    merged = patient_payload("42", updated_at="2026-02-01T00:00:00Z", **merged_into("43"))
    cliniko.outcome, cliniko.then = Outcome.FRESH, written(merged)
    assert refresh(reception, form)["HX-Redirect"] == "/patients/43/?merged=42"


def test_a_patient_deleted_since_is_shown_as_deleted(reception: Client, form: dict[str, str], cliniko: Cliniko) -> None:
    gone = patient_payload("42", updated_at="2026-02-01T00:00:00Z", deleted_at="2026-02-01T00:00:00Z")
    cliniko.outcome, cliniko.then = Outcome.UNKNOWN, written(gone)
    page = refresh(reception, form).content.decode()
    assert "was deleted in Cliniko" in page
    assert "0491 570 006" not in page


def test_without_htmx_the_page_is_reloaded(reception: Client, form: dict[str, str], cliniko: Cliniko) -> None:
    cliniko.outcome = Outcome.FRESH
    response = reception.post("/patients/42/fresh", form)
    assert (response.status_code, response["Location"]) == (302, "/patients/42/")


def test_it_allows_only_post(reception: Client) -> None:
    assert reception.get("/patients/42/fresh").status_code == 405


def test_an_expired_session_redirects_to_sign_in(form: dict[str, str], clinic_client: Callable[[str], Client]) -> None:
    response = refresh(clinic_client("bondi"), form)
    assert response.status_code == 401
    assert response["HX-Redirect"].startswith("/login?t=")
