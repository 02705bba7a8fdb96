"""What changed since this person last looked."""

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
from tests.launch.views.test_patient_fresh import ask, form_of
from tests.payloads import alert_payload, patient_payload

MARK = 'class="changed"'
STREET, REST = "1 Example Street", "NSW 2026, Australia"
CLUB = {"name": "Club", "type": "text", "value": "Surf"}


def page_of(browser: Client, patient_id: str = "42") -> str:
    return browser.get(f"/patients/{patient_id}/").content.decode()


def lines(page: str) -> list[tuple[str, str, str]]:
    """The list of changes: label, before, after."""
    found = re.findall(r"<dt><bdi>(.*?)</bdi></dt><dd>.*?<del><bdi>(.*?)</bdi></del>.*?<ins><bdi>(.*?)</bdi>", page)
    return [(label, before, after) for label, before, after in found]


@pytest.fixture
def looked(reception: Client) -> Client:
    """Bondi's receptionist opened Ada's page yesterday."""
    page_of(reception)
    with clinic_context("bondi"):
        update_events(occurred_at=F("occurred_at") - timedelta(days=1))
    return reception


@pytest.fixture
def edit(add_patient: Callable[..., str]) -> Callable[..., None]:
    """`edit(city="Coogee")`: Cliniko has changed Ada's record at bondi."""

    def change(**fields: Any) -> None:
        add_patient("bondi", "42", updated_at=timezone.now().isoformat(), **fields)

    return change


def test_at_the_first_look_nothing_is_marked(reception: Client, edit: Callable[..., None]) -> None:
    edit(email="ada@new.example")
    assert MARK not in page_of(reception)


def test_a_changed_field_is_marked_with_what_it_was(looked: Client, edit: Callable[..., None]) -> None:
    edit(email="ada@new.example")
    page = page_of(looked)
    assert "Changed since you last looked, " in page
    assert lines(page) == [("E-mail", "ada@example.com", "ada@new.example")]
    assert page.count(MARK) == 1


def test_what_was_seen_is_not_marked_again(looked: Client, edit: Callable[..., None]) -> None:
    edit(email="ada@new.example")
    page_of(looked)
    with clinic_context("bondi"):
        update_events(occurred_at=timezone.now() + timedelta(seconds=1))
    assert MARK not in page_of(looked)


def test_a_page_loaded_again_keeps_its_marks_for_half_an_hour(looked: Client, edit: Callable[..., None]) -> None:
    edit(email="ada@new.example")
    for _ in range(3):
        assert MARK in page_of(looked)
    with clinic_context("bondi"):
        update_events(occurred_at=F("occurred_at") - timedelta(minutes=31))
        PatientChange.objects.update(changed_at=timezone.now() - timedelta(minutes=40))
    assert MARK not in page_of(looked)


def test_what_changed_between_two_looks_of_the_first_visit_is_marked(
    reception: Client, edit: Callable[..., None]
) -> None:
    page_of(reception)
    with clinic_context("bondi"):
        update_events(occurred_at=timezone.now() - timedelta(minutes=5))
    edit(email="ada@new.example")
    assert MARK in page_of(reception)


def test_somebody_elses_look_is_not_ones_own(
    looked: Client, force_login: Callable[..., Client], edit: Callable[..., None]
) -> None:
    edit(email="ada@new.example")
    assert MARK not in page_of(force_login("bondi", role="clinician"))
    assert MARK in page_of(looked)


def test_the_patient_of_the_other_clinic_has_not_changed(
    looked: Client, force_login: Callable[..., Client], edit: Callable[..., None]
) -> None:
    harbour = force_login("harbour")
    page_of(harbour)
    edit(email="ada@new.example")
    assert MARK not in page_of(harbour)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"city": "Coogee"}, ("Address", f"{STREET}, Bondi {REST}", f"{STREET}, Coogee {REST}")),
        ({"accepted_privacy_policy": False}, ("Consent", "given", "refused")),
        ({"patient_phone_numbers": []}, ("Phone", "Mobile 0491 570 006", "nothing")),
        ({"date_of_birth": "1990-04-18"}, ("Birth date", "17 Apr 1990", "18 Apr 1990")),
        ({"last_name": "O'Hara"}, ("Name", "Ada Lindqvist", "Ada O&#x27;Hara")),
        (
            {"custom_fields": {"sections": [{"name": "Sport", "fields": [CLUB]}]}},
            ("Sport / Club", "nothing", "Surf"),
        ),
    ],
)
def test_each_kind_of_field_is_told_in_words(
    looked: Client, edit: Callable[..., None], fields: dict[str, Any], line: tuple[str, str, str]
) -> None:
    edit(**fields)
    page = page_of(looked)
    assert lines(page) == [line]
    assert MARK in page


def test_fields_that_the_screen_does_not_show_are_not_told(looked: Client, edit: Callable[..., None]) -> None:
    edit(medicare="2123 45670 1", dva_card_number="NX123456", invoice_email="x@example.com")
    page = page_of(looked)
    assert MARK not in page
    assert "2123 4" not in page
    assert "21234" not in page


def test_other_ends_of_lines_are_no_change(looked: Client, edit: Callable[..., None]) -> None:
    edit(notes="Stairs\nLift")
    page_of(looked)
    with clinic_context("bondi"):
        update_events(occurred_at=timezone.now())
    edit(notes="Stairs\r\nLift")
    with clinic_context("bondi"):
        PatientChange.objects.filter(before__contains="Lift").update(changed_at=timezone.now())
    assert MARK not in page_of(looked)


def test_markup_in_a_former_value_is_inert(looked: Client, edit: Callable[..., None]) -> None:
    edit(occupation="<img src=x>")
    assert "<img src=x" not in page_of(looked)


def test_an_alert_that_was_not_there_is_marked_as_new(looked: Client, add_record: AddRecord) -> None:
    add_record("bondi", "medical_alerts", alert_payload("7", "42", "Penicillin"))
    assert '<bdi>Penicillin</bdi> <span class="changed">new</span>' in page_of(looked)
    with clinic_context("bondi"):
        update_events(occurred_at=timezone.now())
    assert "<bdi>Penicillin</bdi></li>" in page_of(looked)


def test_what_the_fresh_copy_brings_is_marked_as_just_now(reception: Client, cliniko: Cliniko) -> None:
    form = form_of(page_of(reception))
    edited = written(patient_payload("42", email="ada@new.example", updated_at="2026-02-01T00:00:00Z"))

    def edited_later() -> None:
        edited()
        PatientChange.objects.update(changed_at=timezone.now())  # in a test one moment lasts as long as its transaction

    cliniko.outcome, cliniko.then = Outcome.FRESH, edited_later
    page = ask(reception, form).content.decode()
    assert "Changed in Cliniko just now" in page
    assert lines(page) == [("E-mail", "ada@example.com", "ada@new.example")]
