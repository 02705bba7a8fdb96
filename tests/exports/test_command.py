"""`manage.py clinic export` writes a file or into a directory, replaces nothing and leaves no partial files."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from exports import archive
from tenants.models import Clinic
from tests.exports.conftest import OpenedExport
from tests.launch.conftest import access_log

pytestmark = pytest.mark.usefixtures("filled_clinics")


def export(capsys: pytest.CaptureFixture[str], label: str, to: Path, *options: str) -> dict[str, Any]:
    capsys.readouterr()
    call_command("clinic", "export", label, "--to", str(to), "--json", *options)
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def refusal(capsys: pytest.CaptureFixture[str], label: str, to: Path, *options: str) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        call_command("clinic", "export", label, "--to", str(to), "--json", *options)
    output = capsys.readouterr()
    assert (stopped.value.code, output.out, output.err.count("\n")) == (1, "", 1)
    return output.err


def test_it_writes_the_file_and_prints_its_contents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = export(capsys, "bondi", tmp_path / "all.zip")
    path = tmp_path / "all.zip"
    assert (answer["clinic"], answer["file"], answer["bytes"]) == ("bondi", str(path), path.stat().st_size)
    assert answer["records"]["patients"] == 2
    assert answer["records"]["notes"] == 1
    assert len(OpenedExport(path).lines("patients")) == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_dry_run_counts_and_leaves_no_file_and_no_log_entry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dry_run = export(capsys, "bondi", tmp_path, "--dry-run")
    assert list(tmp_path.iterdir()) == []
    assert access_log("bondi") == []
    written = export(capsys, "bondi", tmp_path)
    log = {"audit_log": written["records"].pop("audit_log") - 1}
    assert written["records"] | log == dry_run["records"]
    assert (dry_run["file"], dry_run["bytes"]) == (written["file"], 0)
    assert "already exists" in refusal(capsys, "bondi", tmp_path, "--dry-run")
    call_command("clinic", "export", "bondi", "--to", str(tmp_path / "b.zip"), "--dry-run")
    assert capsys.readouterr().out.startswith(f"Dry run: {tmp_path / 'b.zip'}, would be written\n")


def test_a_directory_without_write_permission_is_refused_before_logging(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    for options in ((), ("--dry-run",)):
        assert "No permission to write" in refusal(capsys, "bondi", tmp_path, *options)
    assert access_log("bondi") == []


def test_it_chooses_a_file_name_in_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(str(export(capsys, "harbour", tmp_path)["file"]))
    assert path.parent == tmp_path
    assert path.name.startswith("sidechart-harbour-2")
    assert OpenedExport(path).manifest["clinic"]["label"] == "harbour"


def test_it_is_logged_in_that_clinic_and_the_log_entry_is_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(capsys, "bondi", tmp_path / "all.zip")
    assert access_log("bondi")[-1] == ("ops", "exported", "")
    assert access_log("harbour") == []
    entry = OpenedExport(tmp_path / "all.zip").lines("audit_log")[-1]
    assert (entry["user_email"], entry["details"]) == ("ops", {"what": "clinic"})


def test_an_existing_file_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "all.zip"
    path.write_text("mine")
    assert "already exists" in refusal(capsys, "bondi", path)
    assert path.read_text() == "mine"
    assert access_log("bondi") == []


def test_a_missing_directory_or_clinic_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "There is no folder" in refusal(capsys, "bondi", tmp_path / "nowhere" / "all.zip")
    assert "no clinic 'nowhere'" in refusal(capsys, "nowhere", tmp_path / "all.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_suspended_clinic_can_be_exported_and_a_purged_one_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Clinic.objects.filter(label="bondi").update(state=Clinic.State.SUSPENDED)
    assert export(capsys, "bondi", tmp_path)["clinic"] == "bondi"
    Clinic.objects.filter(label="harbour").update(state=Clinic.State.PURGED)
    assert "no clinic" in refusal(capsys, "harbour", tmp_path)


def test_a_full_disk_leaves_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive.Packer, "add_table", full)
    assert "No space left on device" in refusal(capsys, "bondi", tmp_path / "all.zip")
    assert list(tmp_path.iterdir()) == []
