"""Two clinics with data in every exported table, and their exports, unpacked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.test import Client

from accounts.models import User
from exports import archive, tasks
from exports.models import Export
from launch import notes
from sync.models import RefusedPayload
from tenants.context import clinic_context
from tests.conftest import AddRecord
from tests.payloads import alert_payload, appointment_payload, attendee_payload, class_payload

Messages = list[dict[str, Any]]
PAGE, REQUEST = "/settings/export", "/settings/export/ask"
BIG = "9007199254740993"  # as a JavaScript number it would be …992


@pytest.fixture
def inside_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip SET TRANSACTION: the test's transaction has already run statements. See test_consistency.py."""
    monkeypatch.setattr(archive, "SET_SNAPSHOT", "SELECT 1")


@pytest.fixture
def filled_clinics(
    two_clinics: None,
    inside_a_transaction: None,
    add_patient: Callable[..., str],
    add_record: AddRecord,
    staff_member: Callable[..., User],
) -> None:
    """Put a record with the same id and the clinic's label into each table of both clinics."""
    for label in ("bondi", "harbour"):
        add_patient(
            label, BIG, first_name=f"=cmd {label}", last_name="O'Hara \"\\ Tab\there", notes="one\ntwo\r\n\x7fé 🙂"
        )
        add_record(label, "medical_alerts", alert_payload("11", "42", f"alert of {label}"))
        appointment = appointment_payload("21", "42", "2026-03-01T09:00:00Z", notes=f"+visit of {label}")
        add_record(label, "individual_appointments", appointment)
        add_record(label, "group_appointments", class_payload("31", "2026-03-02T09:00:00Z", notes=f"class of {label}"))
        add_record(label, "attendees", attendee_payload("41", "42", "31", notes=f"place of {label}"))
        record = {"id": "1", "updated_at": "2026-01-01T00:00:00Z", "name": f"Kind of {label}"}
        add_record(label, "practitioners", record | {"display_name": f"Mei-Lin of {label}"})
        add_record(label, "businesses", record | {"display_name": f"Rooms of {label}"})
        add_record(label, "appointment_types", record)
        robin = staff_member(label)
        with clinic_context(label):
            note = notes.write("42", f"note of {label}", by=robin)
            notes.edit(note, f"note of {label}, edited", version=1, by=robin)
            payload = json.dumps({"id": 7, "of": label})
            RefusedPayload.objects.create(resource="attendees", cliniko_id="7", payload=payload, reason="odd")


class OpenedExport:
    """The content of an export's ZIP."""

    def __init__(self, path: Path):
        with ZipFile(path) as packed:
            assert packed.testzip() is None
            self.files = {name: packed.read(name) for name in packed.namelist()}
        self.manifest: dict[str, Any] = json.loads(self.files["manifest.json"])

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[f"{name}.jsonl"].decode().split("\n")[:-1]]

    def all_text(self) -> str:
        return "\n".join(content.decode() for content in self.files.values())


@pytest.fixture
def export_of(tmp_path: Path) -> Callable[[str], OpenedExport]:
    """Return a function that exports a clinic: `export_of("bondi")`."""
    count = iter(range(1000))

    def export(label: str) -> OpenedExport:
        path = tmp_path / f"{label}-{next(count)}.zip"
        with clinic_context(label) as clinic, path.open("wb") as file:
            archive.write(file, clinic)
        return OpenedExport(path)

    return export


@pytest.fixture
def owner(force_login: Callable[..., Client]) -> Client:
    return force_login("bondi", role="owner")


@pytest.fixture
def ready(owner: Client, export_messages: Messages) -> str:
    """Return the download URL of a ready export of bondi."""
    owner.post(REQUEST)
    tasks.create_export(**export_messages[-1])
    return f"{PAGE}/{export_messages[-1]['export_id']}/download"


def page_of(browser: Client) -> str:
    return browser.get(PAGE).content.decode()


def exports_of(label: str) -> list[Export]:
    with clinic_context(label):
        return list(Export.objects.order_by("pk"))


def export_states(label: str) -> list[str]:
    return [export.state for export in exports_of(label)]


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
