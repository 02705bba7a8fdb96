"""What changed since the user's previous view."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from sync.models import PatientChange
from sync.refresh import Outcome
from tenants.context import clinic_context
from tests.audit.tampering import update_events
from tests.conftest import AddRecord
from tests.launch.conftest import Cliniko, written
from tests.launch.views.test_patient_fresh import form_of, refresh
from tests.payloads import alert_payload, patient_payload

MARK = 'class="changed"'
STREET, REST = "1 Example Street", "NSW 2026, Australia"
CLUB = {"name": "Club", "type": "text", "value": "Surf"}


def page_of(browser: Client, patient_id: str = "42") -> str:
    return browser.get(f"/patients/{patient_id}/").content.decode()


def listed_changes(page: str) -> list[tuple[str, str, str]]:
    """Return the listed changes as (label, before, after)."""
    found = re.findall(r"<dt><bdi>(.*?)</bdi></dt><dd>.*?<del><bdi>(.*?)</bdi></del>.*?<ins><bdi>(.*?)</bdi>", page)
    return [(label, before, after) for label, before, after in found]


@pytest.fixture
def returning(reception: Client) -> Client:
    """Bondi's receptionist, who viewed Ada's page yesterday."""
    page_of(reception)
    with clinic_context("bondi"):
        update_events(occurred_at=F("occurred_at") - timedelta(days=1))
    return reception


@pytest.fixture
def edit(add_patient: Callable[..., str]) -> Callable[..., None]:
    """`edit(city="Coogee")`: change Ada's record in bondi's Cliniko."""

    def change(**fields: Any) -> None:
        add_patient("bondi", "42", updated_at=timezone.now().isoformat(), **fields)

    return change


def test_nothing_is_marked_at_the_first_view(reception: Client, edit: Callable[..., None]) -> None:
    edit(email="ada@new.example")
    assert MARK not in page_of(reception)


def test_a_changed_field_is_marked_with_its_previous_value(returning: Client, edit: Callable[..., None]) -> None:
    edit(email="ada@new.example")
    page = page_of(returning)
    assert "Changed since you last viewed this record, " in page
    assert listed_changes(page) == [("Email", "ada@example.com", "ada@new.example")]
    assert page.count(MARK) == 1


def test_a_change_that_was_seen_is_not_marked_again(returning: Client, edit: Callable[..., None]) -> None:
    edit(email="ada@new.example")
    page_of(returning)
    with clinic_context("bondi"):
        update_events(occurred_at=timezone.now() + timedelta(seconds=1))
    assert MARK not in page_of(returning)


def test_a_reloaded_page_keeps_its_marks_for_half_an_hour(returning: Client, edit: Callable[..., None]) -> None:
    edit(email="ada@new.example")
    for _ in range(3):
        assert MARK in page_of(returning)
    with clinic_context("bondi"):
        update_events(occurred_at=F("occurred_at") - timedelta(minutes=31))
        PatientChange.objects.update(changed_at=timezone.now() - timedelta(minutes=40))
    assert MARK not in page_of(returning)


def test_a_change_between_two_views_of_the_first_visit_is_marked(reception: Client, edit: Callable[..., None]) -> None:
    page_of(reception)
    with clinic_context("bondi"):
        update_events(occurred_at=timezone.now() - timedelta(minutes=5))
    edit(email="ada@new.example")
    assert MARK in page_of(reception)


def test_a_colleagues_view_does_not_count(
    returning: Client, force_login: Callable[..., Client], edit: Callable[..., None]
) -> None:
    edit(email="ada@new.example")
    assert MARK not in page_of(force_login("bondi", role="clinician"))
    assert MARK in page_of(returning)


def test_the_patient_of_the_other_clinic_has_not_changed(
    returning: Client, force_login: Callable[..., Client], edit: Callable[..., None]
) -> None:
    harbour = force_login("harbour")
    page_of(harbour)
    edit(email="ada@new.example")
    assert MARK not in page_of(harbour)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"city": "Coogee"}, ("Address", f"{STREET}, Bondi {REST}", f"{STREET}, Coogee {REST}")),
        ({"accepted_privacy_policy": False}, ("Privacy policy", "accepted", "declined")),
        ({"patient_phone_numbers": []}, ("Phone", "Mobile 0491 570 006", "empty")),
        ({"date_of_birth": "1990-04-18"}, ("Date of birth", "17 Apr 1990", "18 Apr 1990")),
        ({"last_name": "O'Hara"}, ("Name", "Ada Lindqvist", "Ada O&#x27;Hara")),
        (
            {"custom_fields": {"sections": [{"name": "Sport", "fields": [CLUB]}]}},
            ("Sport / Club", "empty", "Surf"),
        ),
    ],
)
def test_each_kind_of_field_is_listed(
    returning: Client, edit: Callable[..., None], fields: dict[str, Any], line: tuple[str, str, str]
) -> None:
    edit(**fields)
    page = page_of(returning)
    assert listed_changes(page) == [line]
    assert MARK in page


def test_fields_that_the_screen_does_not_show_are_not_listed(returning: Client, edit: Callable[..., None]) -> None:
    edit(medicare="2123 45670 1", dva_card_number="NX123456", invoice_email="x@example.com")
    page = page_of(returning)
    assert MARK not in page
    assert "2123 4" not in page
    assert "21234" not in page


def test_different_line_ends_are_no_change(returning: Client, edit: Callable[..., None]) -> None:
    edit(notes="Stairs\nLift")
    page_of(returning)
    with clinic_context("bondi"):
        update_events(occurred_at=timezone.now())
    edit(notes="Stairs\r\nLift")
    with clinic_context("bondi"):
        PatientChange.objects.filter(before__contains="Lift").update(changed_at=timezone.now())
    assert MARK not in page_of(returning)


def test_markup_in_a_previous_value_is_inert(returning: Client, edit: Callable[..., None]) -> None:
    edit(occupation="<img src=x>")
    assert "<img src=x" not in page_of(returning)


def test_a_new_alert_is_marked(returning: Client, add_record: AddRecord) -> None:
    add_record("bondi", "medical_alerts", alert_payload("7", "42", "Penicillin"))
    assert '<bdi>Penicillin</bdi> <span class="changed">new</span>' in page_of(returning)
    with clinic_context("bondi"):
        update_events(occurred_at=timezone.now())
    assert "<bdi>Penicillin</bdi></li>" in page_of(returning)


def test_changes_in_the_fresh_copy_are_marked_as_just_now(reception: Client, cliniko: Cliniko) -> None:
    form = form_of(page_of(reception))
    edited = written(patient_payload("42", email="ada@new.example", updated_at="2026-02-01T00:00:00Z"))

    def edited_later() -> None:
        edited()
        PatientChange.objects.update(changed_at=timezone.now())  # within a transaction, now() is constant

    cliniko.outcome, cliniko.then = Outcome.FRESH, edited_later
    page = refresh(reception, form).content.decode()
    assert "Changed in Cliniko just now" in page
    assert listed_changes(page) == [("Email", "ada@example.com", "ada@new.example")]
