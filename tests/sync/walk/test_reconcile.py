"""Comparing the mirror with Cliniko, record by record."""

from collections.abc import Callable
from typing import Any

import pytest

from sync.cliniko.client import Cliniko
from sync.cliniko.errors import RecordNotFound, Unreachable
from sync.connection import state as connection_state
from sync.models import Patient, Reconciliation
from sync.resources import PATIENTS
from sync.walk import reconcile
from sync.walk import run as walk_run
from sync.walk.lease import Lease
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context
from tests.cliniko_sandbox import Sandbox
from tests.payloads import patient_payload

Connect = Callable[[str], Sandbox]
GONE = ("70", "71", "72")


@pytest.fixture
def compared(connected: Connect) -> Sandbox:
    """bondi's patients are due for comparison, and three of them are no longer in Cliniko."""
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Here")
    sandbox.store.add_patient("bondi", id="80", first_name="Also here")
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        write_page(PATIENTS, [patient_payload(each) for each in GONE], sequence=next_sequence())
        reconcile.request_comparison(PATIENTS)
    return sandbox


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the records that are fetched singly. The first request for 71 fails."""
    ids: list[str] = []
    real = Cliniko.record

    def record(self: Cliniko, resource: str, cliniko_id: str) -> dict[str, Any]:
        ids.append(cliniko_id)
        if cliniko_id == "71" and ids.count("71") == 1:
            raise Unreachable("A time-out.")
        return real(self, resource, cliniko_id)

    monkeypatch.setattr(Cliniko, "record", record)
    return ids


def test_fetched_record_is_not_fetched_again_when_the_next_one_fails(compared: Sandbox, fetched: list[str]) -> None:
    with clinic_context("bondi"):
        walk_run.run_sync(everything=False)
        assert Reconciliation.objects.get(resource="patients").after_id == "70"
        assert Patient.objects.get(cliniko_id="70").deleted_at
        reconcile.request_comparison(PATIENTS)
        walk_run.run_sync(everything=False)
        assert fetched == ["70", "71", "71", "72"]
        assert Patient.objects.filter(deleted_at=None).count() == 2
        state = Reconciliation.objects.get(resource="patients")
        assert (state.after_id, state.compared, state.mended) == (None, 2, 3)


def test_comparison_stops_when_the_slice_is_over(compared: Sandbox, fetched: list[str]) -> None:
    with clinic_context("bondi"), Lease() as lease:
        page = reconcile.compare_page(connection_state.open_client(), lease, PATIENTS, is_over=lambda: True)
        assert fetched == ["70"]
        assert (page.done, page.reread, page.mended, page.compared) == (False, 1, 1, 1)
        assert Reconciliation.objects.get(resource="patients").after_id == "70"


def test_launch_takes_precedence_over_an_earlier_404(compared: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [RecordNotFound("404"), patient_payload("70"), RecordNotFound("404"), RecordNotFound("404")]

    def record(self: Cliniko, resource: str, cliniko_id: str) -> Any:
        answer = answers.pop(0)
        if cliniko_id == "70":
            write_page(PATIENTS, [patient_payload("70")], sequence=next_sequence())
        if isinstance(answer, RecordNotFound):
            raise answer
        return answer

    monkeypatch.setattr(Cliniko, "record", record)
    with clinic_context("bondi"):
        walk_run.run_sync(everything=False)
        assert set(Patient.objects.filter(deleted_at=None).values_list("pk", flat=True)) == {"42", "70", "80"}
        assert answers == []
