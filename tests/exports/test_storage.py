"""Export files are complete or missing, private, and deleted on time."""

import threading
from contextlib import suppress
from pathlib import Path

import pytest

from exports import requests, storage, tasks
from exports.models import Export
from tenants.context import clinic_context, current_clinic
from tenants.models import Clinic

SCHEMA = "clinic_0123456789abcdef"


def write(path: Path, content: bytes = b"complete") -> None:
    with storage.write_atomically(path) as file:
        file.write(content)


@pytest.fixture
def path(export_directory: Path) -> Path:
    storage.create_directory(SCHEMA)
    return storage.export_path(SCHEMA, 7)


def test_a_file_appears_only_once_it_is_complete(path: Path) -> None:
    with storage.write_atomically(path) as file:
        file.write(b"half")
        assert not path.exists()
        assert storage.is_being_written(path)
    assert path.read_bytes() == b"half"
    assert [each.name for each in path.parent.iterdir()] == ["7.zip"]


def test_a_failed_write_leaves_no_file(path: Path) -> None:
    with suppress(ZeroDivisionError), storage.write_atomically(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert list(path.parent.iterdir()) == []
    assert not storage.is_being_written(path)


def test_only_our_own_user_can_read_a_file(path: Path, export_directory: Path) -> None:
    write(path)
    modes = [each.stat().st_mode & 0o777 for each in (export_directory, path.parent, path)]
    assert modes == [0o700, 0o700, 0o600]


def test_two_processes_do_not_write_the_same_file(path: Path) -> None:
    with storage.write_atomically(path) as file:
        file.write(b"first")
        file.flush()
        errors: list[OSError] = []

        def second() -> None:
            try:
                write(path, b"second")
            except OSError as error:
                errors.append(error)

        thread = threading.Thread(target=second)
        thread.start()
        thread.join(5)
        assert len(errors) == 1
    assert path.read_bytes() == b"first"


def test_a_killed_writers_draft_is_overwritten(path: Path) -> None:
    path.with_name(".7.zip.part").write_bytes(b"much longer than the new content")
    assert not storage.is_being_written(path)
    write(path)
    assert path.read_bytes() == b"complete"


def test_delete_all_deletes_one_clinics_files_and_no_others(path: Path) -> None:
    write(path)
    other = SCHEMA[:-1] + "0"
    storage.create_directory(other)
    write(storage.export_path(other, 7))
    storage.delete_all(SCHEMA)
    storage.delete_all(SCHEMA)
    assert not path.parent.exists()
    assert storage.export_path(other, 7).read_bytes() == b"complete"


@pytest.mark.parametrize("name", ["", "public", "..", "clinic_0123456789abcdef/..", "clinic_0123456789ABCDEF"])
def test_delete_all_refuses_anything_but_a_clinics_schema(export_directory: Path, name: str) -> None:
    export_directory.mkdir()
    with pytest.raises(ValueError, match="not a clinic's schema"):
        storage.delete_all(name)
    assert export_directory.is_dir()


def test_clean_up_deletes_orphaned_files_and_directories_of_purged_clinics(
    bondi: Clinic, harbour: Clinic, path: Path
) -> None:
    write(path)  # of an unknown clinic
    for clinic in (bondi, harbour):
        storage.create_directory(clinic.schema_name)
        write(storage.export_path(clinic.schema_name, 999))
    Clinic.objects.filter(pk=harbour.pk).update(state=Clinic.State.PURGED)
    with clinic_context("bondi"):
        ready = Export.objects.create(requested_by="owner@clinic.example", state="ready")
    write(storage.export_path(bondi.schema_name, ready.pk))
    tasks.clean_up()
    assert storage.list_schemas() == [bondi.schema_name]
    assert [each.name for each in storage.clinic_directory(bondi.schema_name).iterdir()] == [f"{ready.pk}.zip"]


def test_a_file_that_appears_during_clean_up_is_not_deleted(path: Path) -> None:
    def needed() -> set[int]:
        write(path)
        return set()

    storage.export_path(SCHEMA, 6).touch()
    assert storage.delete_unneeded(SCHEMA, needed) == 1
    assert path.exists()


def test_clean_up_continues_after_one_clinic_fails(
    bondi: Clinic, harbour: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    for clinic in (bondi, harbour):
        storage.create_directory(clinic.schema_name)
        write(storage.export_path(clinic.schema_name, 999))
    first = min(bondi.schema_name, harbour.schema_name)
    update_states = requests.update_states

    def fail_first() -> None:
        if current_clinic().schema_name == first:
            raise OSError
        update_states()

    monkeypatch.setattr(requests, "update_states", fail_first)
    tasks.clean_up()
    assert storage.list_schemas() == [first]
