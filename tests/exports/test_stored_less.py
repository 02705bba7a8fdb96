"""An export can't be downloaded once the clinic has chosen to store less."""

from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client

from audit.log import OPS
from exports import archive, tasks
from sync import excluded_fields
from sync.connection import connect
from sync.field_groups import BY_NAME
from tenants.context import clinic_context
from tests.exports.conftest import REQUEST, Messages, export_states, files, page_of

pytestmark = pytest.mark.usefixtures("filled_clinics")


def exclude_notes() -> None:
    with clinic_context("bondi"):
        excluded_fields.exclude(BY_NAME["notes"], by=OPS)


def test_a_ready_export_fails_when_fields_are_excluded_and_its_file_is_deleted(
    owner: Client, ready: str, export_directory: Path
) -> None:
    exclude_notes()
    assert owner.post(ready).status_code != 200
    assert "The data that Sidechart stores for your clinic changed. Please create a new one." in page_of(owner)
    tasks.clean_up()
    assert files(export_directory) == []


def test_an_export_running_while_fields_are_excluded_is_neither_offered_nor_emailed(
    owner: Client, export_messages: Messages, export_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = archive.write

    def exclude_notes_meanwhile(*args: Any) -> archive.ExportSummary:
        summary = write(*args)
        excluded_fields.exclude(BY_NAME["notes"], by=OPS)
        return summary

    monkeypatch.setattr(archive, "write", exclude_notes_meanwhile)
    owner.post(REQUEST)
    mail.outbox.clear()
    tasks.create_export(**export_messages[-1])
    assert export_states("bondi") == ["failed"]
    assert mail.outbox == []
    assert files(export_directory) == []


def test_an_export_fails_when_the_clinic_connects_another_account(owner: Client, ready: str) -> None:
    with clinic_context("bondi"), transaction.atomic():
        connect.delete_account_data()
    assert export_states("bondi") == ["failed"]


def test_another_clinics_choice_fails_no_export(owner: Client, ready: str) -> None:
    with clinic_context("harbour"):
        excluded_fields.exclude(BY_NAME["notes"], by=OPS)
    assert export_states("bondi") == ["ready"]
