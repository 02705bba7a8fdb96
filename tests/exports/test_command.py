"""`manage.py clinic export`: into a file or a folder, nothing is replaced, and nothing half is left."""

import json
import os
from pathlib import Path

import pytest
from django.core.management import call_command

from exports import archive
from tenants.models import Clinic
from tests.exports.conftest import OpenedExport
from tests.launch.conftest import access_log

pytestmark = pytest.mark.usefixtures("furnished")


def export(capsys: pytest.CaptureFixture[str], label: str, to: Path, *words: str) -> dict[str, object]:
    capsys.readouterr()
    call_command("clinic", "export", label, "--to", str(to), "--json", *words)
    said: dict[str, object] = json.loads(capsys.readouterr().out)
    return said


def refusal(capsys: pytest.CaptureFixture[str], label: str, to: Path, *words: str) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        call_command("clinic", "export", label, "--to", str(to), "--json", *words)
    said = capsys.readouterr()
    assert (stopped.value.code, said.out, said.err.count("\n")) == (1, "", 1)
    return said.err


def test_it_writes_the_file_and_tells_what_is_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = export(capsys, "bondi", tmp_path / "all.zip")
    path = tmp_path / "all.zip"
    assert (said["clinic"], said["file"], said["bytes"]) == ("bondi", str(path), path.stat().st_size)
    assert said["records"]["patients"] == 2  # type: ignore[index]
    assert said["records"]["notes"] == 1  # type: ignore[index]
    assert len(OpenedExport(path).lines("patients")) == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_dry_run_counts_and_leaves_no_file_and_no_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreseen = export(capsys, "bondi", tmp_path, "--dry-run")
    assert list(tmp_path.iterdir()) == []
    assert access_log("bondi") == []
    made = export(capsys, "bondi", tmp_path)
    log = {"audit_log": made["records"].pop("audit_log") - 1}  # type: ignore[attr-defined]
    assert made["records"] | log == foreseen["records"]  # type: ignore[operator]
    assert (foreseen["file"], foreseen["bytes"]) == (made["file"], 0)
    assert "is there already" in refusal(capsys, "bondi", tmp_path, "--dry-run")
    call_command("clinic", "export", "bondi", "--to", str(tmp_path / "b.zip"), "--dry-run")
    assert capsys.readouterr().out.startswith(f"Only tried: {tmp_path / 'b.zip'}, would be written\n")


def test_a_folder_that_is_not_ours_is_refused_before_a_line_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    for words in ((), ("--dry-run",)):
        assert "is not ours to write into" in refusal(capsys, "bondi", tmp_path, *words)
    assert access_log("bondi") == []


def test_into_a_folder_it_chooses_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(str(export(capsys, "harbour", tmp_path)["file"]))
    assert path.parent == tmp_path
    assert path.name.startswith("sidechart-harbour-2")
    assert OpenedExport(path).manifest["clinic"]["label"] == "harbour"


def test_it_is_a_line_of_that_clinics_log_and_the_line_is_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(capsys, "bondi", tmp_path / "all.zip")
    assert access_log("bondi")[-1] == ("ops", "exported", "")
    assert access_log("harbour") == []
    line = OpenedExport(tmp_path / "all.zip").lines("audit_log")[-1]
    assert (line["user_email"], line["details"]) == ("ops", {"what": "clinic"})


def test_a_file_that_is_there_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "all.zip"
    path.write_text("mine")
    assert "is there already" in refusal(capsys, "bondi", path)
    assert path.read_text() == "mine"
    assert access_log("bondi") == []


def test_no_folder_and_no_clinic_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "There is no folder" in refusal(capsys, "bondi", tmp_path / "nowhere" / "all.zip")
    assert "no clinic 'nowhere'" in refusal(capsys, "nowhere", tmp_path / "all.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_suspended_clinic_is_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Clinic.objects.filter(label="bondi").update(state=Clinic.State.SUSPENDED)
    assert export(capsys, "bondi", tmp_path)["clinic"] == "bondi"
    Clinic.objects.filter(label="harbour").update(state=Clinic.State.PURGED)
    assert "no clinic" in refusal(capsys, "harbour", tmp_path)


def test_a_disk_that_is_full_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive.Packer, "table", full)
    assert "No space left on device" in refusal(capsys, "bondi", tmp_path / "all.zip")
    assert list(tmp_path.iterdir()) == []
