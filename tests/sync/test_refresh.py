"""Reading one patient again when staff open them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sync.cliniko.client import Cliniko
from sync.cliniko.errors import RecordNotFound
from sync.models import Connection, Patient, PatientRefresh
from sync.read import patients
from sync.refresh import Outcome, refresh_patient
from sync.resources import PATIENTS
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.cliniko_sandbox import Sandbox

Connect = Callable[[str], Sandbox]


def refresh(cliniko_id: str = "42") -> Outcome:
    with clinic_context("bondi"):
        return refresh_patient(cliniko_id)


def test_a_patient_who_is_not_mirrored_yet_is_fetched_and_stored(connected: Connect) -> None:
    connected("bondi").store.add_patient("bondi", id="42", first_name="Ada")
    assert refresh() == Outcome.FRESH
    with clinic_context("bondi"):
        record = patients.get("42")
    assert record is not None
    assert record.first_name == "Ada"
    assert record.checked_at is not None
    assert timezone.now() - record.checked_at < timedelta(seconds=5)


def test_a_patient_of_the_other_clinic_is_unknown_here(connected: Connect) -> None:
    connected("bondi").store.add_patient("harbour", id="42", first_name="Ben")
    assert refresh() == Outcome.UNKNOWN


def test_an_id_that_cliniko_does_not_know_leaves_no_row(connected: Connect) -> None:
    connected("bondi")
    assert refresh("77") == Outcome.UNKNOWN
    with clinic_context("bondi"):
        assert not PatientRefresh.objects.exists()
        assert not Patient.objects.exists()


def test_a_patient_deleted_in_cliniko_becomes_a_tombstone(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42")
    sandbox.sync("bondi")
    sandbox.store.delete("bondi", "42")
    assert refresh() == Outcome.UNKNOWN
    with clinic_context("bondi"):
        assert Patient.objects.get(cliniko_id="42").deleted_at


def test_a_second_refresh_within_seconds_makes_no_request(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42")
    refresh()
    requests = sandbox.store.count_requests()
    assert refresh() == Outcome.BUSY
    assert sandbox.store.count_requests() == requests
    with clinic_context("bondi"):
        PatientRefresh.objects.update(started_at=timezone.now() - timedelta(minutes=1))
    assert refresh() == Outcome.FRESH


def test_a_page_requested_before_and_answered_after_a_refresh_does_not_undo_it(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Before")
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        stale, sequence = Patient.objects.get(cliniko_id="42").payload, next_sequence()
    sandbox.store.edit("bondi", "patients", "42", first_name="After")
    assert refresh() == Outcome.FRESH
    with clinic_context("bondi"):
        write_page(PATIENTS, [stale], sequence=sequence)
    assert sandbox.mirrored_names("bondi") == {"42": "After"}


@pytest.mark.parametrize(
    ("known", "outcome"),
    [
        ({"state": "key_invalid", "key_state": "invalid"}, Outcome.KEY_INVALID),
        ({"state": "paused", "key_state": "invalid"}, Outcome.KEY_INVALID),
        ({"state": "no_key", "sealed_key": ""}, Outcome.NO_KEY),
        ({"state": "rate_limited"}, Outcome.RATE_LIMITED),
    ],
)
def test_a_request_that_is_known_to_fail_is_not_made(
    connected: Connect, known: dict[str, str], outcome: Outcome
) -> None:
    sandbox = connected("bondi")
    with clinic_context("bondi"):
        Connection.objects.update(**known, resume_at=timezone.now() + timedelta(minutes=1))
    requests = sandbox.store.count_requests()
    assert refresh() == outcome
    assert sandbox.store.count_requests() == requests


def test_a_clinic_without_a_key_has_its_own_outcome(bondi: object) -> None:
    assert refresh() == Outcome.NO_KEY


def test_one_unanswered_request_does_not_change_the_clinics_state(connected: Connect, settings: object) -> None:
    connected("bondi")
    settings.CLINIKO_API_URL = "http://127.0.0.1:9/{shard}"  # type: ignore[attr-defined]
    assert refresh() == Outcome.UNREACHABLE
    with clinic_context("bondi"):
        assert Connection.objects.get().state == Connection.State.OK


def test_a_key_that_cliniko_no_longer_accepts_is_recorded(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.revoke_key(sandbox.store.key("bondi"))
    assert refresh() == Outcome.KEY_INVALID
    with clinic_context("bondi"):
        connection = Connection.objects.get()
        assert (connection.state, connection.key_state) == (Connection.State.KEY_INVALID, Connection.KeyState.INVALID)
    assert Clinic.objects.get(label="bondi").key_state == "invalid"


@pytest.fixture
def overtaken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the requested ids. The first answer is a 404, after a later one returned an unchanged record."""
    asked: list[str] = []
    real = Cliniko.record

    def record(self: Cliniko, resource: str, cliniko_id: str) -> dict[str, Any]:
        asked.append(cliniko_id)
        if len(asked) > 1:
            return real(self, resource, cliniko_id)
        sequence = next_sequence()
        unchanged = [row.payload for row in Patient.objects.filter(cliniko_id=cliniko_id)]
        write_page(PATIENTS, unchanged, sequence=sequence)
        raise RecordNotFound("404")

    monkeypatch.setattr(Cliniko, "record", record)
    return asked


def test_a_404_overtaken_by_an_answer_without_changes_deletes_no_patient(
    connected: Connect, overtaken: list[str]
) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    sandbox.sync("bondi")
    assert refresh() == Outcome.FRESH
    assert overtaken == ["42", "42"]
    assert sandbox.mirrored_names("bondi") == {"42": "Ada"}


def test_an_overtaken_404_for_a_patient_who_was_never_mirrored_is_believed(
    connected: Connect, overtaken: list[str]
) -> None:
    connected("bondi")
    assert refresh() == Outcome.UNKNOWN
    assert overtaken == ["42"]


def test_a_404_that_was_not_overtaken_is_believed_at_once(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42")
    sandbox.sync("bondi")
    sandbox.store.delete("bondi", "42")
    requests = sandbox.store.count_requests()
    assert refresh() == Outcome.UNKNOWN
    assert sandbox.store.count_requests() == requests + 1
