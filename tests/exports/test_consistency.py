"""An export shows one moment: what is committed while it is made is in none of its files."""

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

BEFORE, MEANWHILE = "900000000000007001", "900000000000007002"  # of a length that no digest has by chance


def committed(work: Callable[[], Any]) -> Any:
    """Do `work` at bondi over a connection of its own, so that what it writes is there for everybody."""

    def alone() -> Any:
        try:
            with clinic_context("bondi"):
                return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(alone).result(30)


def write(patient_id: str) -> None:
    write_page(BY_NAME["patients"], [patient_payload(patient_id)], sequence=next_sequence())
    visit = appointment_payload(patient_id, patient_id, "2026-03-01T09:00:00Z")
    write_page(BY_NAME["individual_appointments"], [visit], sequence=next_sequence())
    Note.objects.create(patient_id=patient_id, text=f"note on {patient_id}", author="Robin")


def clear() -> None:
    for model, column in ((Patient, "cliniko_id"), (Appointment, "cliniko_id"), (Note, "patient_id")):
        model._default_manager.filter(**{f"{column}__in": [BEFORE, MEANWHILE]}).delete()


@pytest.fixture
def somebody(db: None) -> Iterator[None]:
    committed(lambda: write(BEFORE))
    yield
    committed(clear)


def export(path: Path) -> OpenedExport:
    with path.open("wb") as file:
        committed(lambda: archive.write(file, current_clinic()))
    return OpenedExport(path)


def whom(exported: OpenedExport) -> list[set[str]]:
    files = (("patients", "cliniko_id"), ("individual_appointments", "patient_id"), ("notes", "patient_id"))
    return [{line[column] for line in exported.lines(name)} for name, column in files]


def test_what_is_written_in_between_is_in_none_of_the_files(
    somebody: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = archive.Packer.table
    written: list[str] = []

    def meanwhile(packer: archive.Packer, cursor: Any, name: str, statement: str) -> archive.PackedFile:
        packed = table(packer, cursor, name, statement)
        if name == "patients.jsonl":
            committed(lambda: write(MEANWHILE))
            written.append(name)
        return packed

    with monkeypatch.context() as patched:
        patched.setattr(archive.Packer, "table", meanwhile)
        first = export(tmp_path / "first.zip")
    assert written == ["patients.jsonl"]
    assert whom(first) == [{BEFORE}, {BEFORE}, {BEFORE}]
    assert MEANWHILE not in first.all_text()
    assert whom(export(tmp_path / "second.zip")) == [{BEFORE, MEANWHILE}] * 3


def test_an_export_cannot_write(somebody: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_instead(*_: object) -> None:
        Note.objects.create(patient_id="1", text="x", author="x")

    monkeypatch.setattr(archive.Packer, "table", write_instead)
    with pytest.raises(InternalError, match="read-only transaction"):
        export(tmp_path / "first.zip")
