"""An export shows one point in time: rows committed while it is being created are in none of its files."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import InternalError, connection

from exports import archive
from launch.models import Note
from sync.models import Appointment, Patient
from sync.resources import BY_NAME
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context, current_clinic
from tests.exports.conftest import OpenedExport
from tests.payloads import appointment_payload, patient_payload

BEFORE, DURING = "900000000000007001", "900000000000007002"  # too long to appear in a digest by chance


def committed(work: Callable[[], Any]) -> Any:
    """Run `work` in bondi on a separate connection, which commits."""

    def run() -> Any:
        try:
            with clinic_context("bondi"):
                return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(30)


def add_records(patient_id: str) -> None:
    write_page(BY_NAME["patients"], [patient_payload(patient_id)], sequence=next_sequence())
    appointment = appointment_payload(patient_id, patient_id, "2026-03-01T09:00:00Z")
    write_page(BY_NAME["individual_appointments"], [appointment], sequence=next_sequence())
    Note.objects.create(patient_id=patient_id, text=f"note on {patient_id}", author="Robin")


def delete_records() -> None:
    for model, column in ((Patient, "cliniko_id"), (Appointment, "cliniko_id"), (Note, "patient_id")):
        model._default_manager.filter(**{f"{column}__in": [BEFORE, DURING]}).delete()


@pytest.fixture
def patient_before(db: None) -> Iterator[None]:
    committed(lambda: add_records(BEFORE))
    yield
    committed(delete_records)


def export(path: Path) -> OpenedExport:
    with path.open("wb") as file:
        committed(lambda: archive.write(file, current_clinic()))
    return OpenedExport(path)


def patients_in(exported: OpenedExport) -> list[set[str]]:
    files = (("patients", "cliniko_id"), ("individual_appointments", "patient_id"), ("notes", "patient_id"))
    return [{line[column] for line in exported.lines(name)} for name, column in files]


def test_rows_written_during_an_export_are_in_none_of_its_files(
    patient_before: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_table = archive.Packer.add_table
    written: list[str] = []

    def write_after_patients(packer: archive.Packer, cursor: Any, name: str, statement: str) -> archive.PackedFile:
        packed = add_table(packer, cursor, name, statement)
        if name == "patients.jsonl":
            committed(lambda: add_records(DURING))
            written.append(name)
        return packed

    with monkeypatch.context() as patched:
        patched.setattr(archive.Packer, "add_table", write_after_patients)
        first = export(tmp_path / "first.zip")
    assert written == ["patients.jsonl"]
    assert patients_in(first) == [{BEFORE}, {BEFORE}, {BEFORE}]
    assert DURING not in first.all_text()
    assert patients_in(export(tmp_path / "second.zip")) == [{BEFORE, DURING}] * 3


def test_an_export_cannot_write(patient_before: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_instead(*_: object) -> None:
        Note.objects.create(patient_id="1", text="x", author="x")

    monkeypatch.setattr(archive.Packer, "add_table", write_instead)
    with pytest.raises(InternalError, match="read-only transaction"):
        export(tmp_path / "first.zip")
