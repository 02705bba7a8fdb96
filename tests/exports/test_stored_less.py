"""An export that was made before the clinic chose to keep less is fetched by nobody."""

from pathlib import Path

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client

from audit.log import OPS
from exports import archive, tasks
from exports.models import Export
from sync import excluded_fields
from sync.connection import connect
from sync.field_groups import BY_NAME
from tenants.context import clinic_context
from tests.exports.test_requests import ASK, Messages, exports_of, files, owner, ready, text_of

__all__ = ["owner", "ready"]
pytestmark = pytest.mark.usefixtures("furnished")


def leave_out_notes() -> None:
    with clinic_context("bondi"):
        excluded_fields.exclude(BY_NAME["notes"], by=OPS)


def test_what_waits_is_over_when_fields_are_left_out_and_its_file_goes(
    owner: Client, ready: str, export_directory: Path
) -> None:
    leave_out_notes()
    assert owner.post(ready).status_code != 200
    assert "What is stored of the clinic was changed meanwhile. Please ask again." in text_of(owner)
    tasks.clean_up()
    assert files(export_directory) == []


def test_what_is_being_made_meanwhile_is_not_offered_nor_mailed(
    owner: Client, export_messages: Messages, export_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = archive.write

    def write_while_somebody_chooses(*words: object) -> archive.Export:
        made = write(*words)  # type: ignore[arg-type]
        excluded_fields.exclude(BY_NAME["notes"], by=OPS)
        return made

    monkeypatch.setattr(archive, "write", write_while_somebody_chooses)
    owner.post(ASK)
    mail.outbox.clear()
    tasks.make(**export_messages[-1])
    assert [each.state for each in exports_of("bondi")] == [Export.State.FAILED]
    assert mail.outbox == []
    assert files(export_directory) == []


def test_it_is_over_when_the_clinic_moves_to_another_account(owner: Client, ready: str) -> None:
    with clinic_context("bondi"), transaction.atomic():
        connect.delete_account_data()
    assert [each.state for each in exports_of("bondi")] == [Export.State.FAILED]


def test_another_clinics_choice_ends_nothing(owner: Client, ready: str) -> None:
    with clinic_context("harbour"):
        excluded_fields.exclude(BY_NAME["notes"], by=OPS)
    assert [each.state for each in exports_of("bondi")] == [Export.State.READY]
