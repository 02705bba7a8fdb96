"""Files of exports: whole or not there, for our eyes only, and gone when they should be."""

import threading
from contextlib import suppress
from pathlib import Path

import pytest

from exports import delete_all, requests, storage, tasks
from exports.models import Export
from tenants.context import clinic_context
from tenants.models import Clinic

SCHEMA = "clinic_0123456789abcdef"


def write(path: Path, content: bytes = b"whole") -> None:
    with storage.write_atomically(path) as file:
        file.write(content)


@pytest.fixture
def path(export_directory: Path) -> Path:
    storage.create_directory(SCHEMA)
    return storage.export_path(SCHEMA, 7)


def test_a_file_has_its_name_only_once_it_is_whole(path: Path) -> None:
    with storage.write_atomically(path) as file:
        file.write(b"half")
        assert not path.exists()
        assert storage.is_being_written(path)
    assert path.read_bytes() == b"half"
    assert [each.name for each in path.parent.iterdir()] == ["7.zip"]


def test_one_that_fails_leaves_nothing(path: Path) -> None:
    with suppress(ZeroDivisionError), storage.write_atomically(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert list(path.parent.iterdir()) == []
    assert not storage.is_being_written(path)


def test_nobody_else_may_read_it(path: Path, export_directory: Path) -> None:
    write(path)
    modes = [each.stat().st_mode & 0o777 for each in (export_directory, path.parent, path)]
    assert modes == [0o700, 0o700, 0o600]


def test_two_do_not_write_the_same_file(path: Path) -> None:
    with storage.write_atomically(path) as file:
        file.write(b"first")
        file.flush()
        refused: list[OSError] = []

        def second() -> None:
            try:
                write(path, b"second")
            except OSError as failed:
                refused.append(failed)

        thread = threading.Thread(target=second)
        thread.start()
        thread.join(5)
        assert len(refused) == 1
    assert path.read_bytes() == b"first"


def test_what_a_killed_writer_left_is_written_over(path: Path) -> None:
    path.with_name(".7.zip.part").write_bytes(b"much more than what comes")
    assert not storage.is_being_written(path)
    write(path)
    assert path.read_bytes() == b"whole"


def test_all_of_one_clinic_is_removed_and_nothing_of_another(path: Path) -> None:
    write(path)
    other = SCHEMA[:-1] + "0"
    storage.create_directory(other)
    write(storage.export_path(other, 7))
    delete_all(SCHEMA)
    delete_all(SCHEMA)
    assert not path.parent.exists()
    assert storage.export_path(other, 7).read_bytes() == b"whole"


@pytest.mark.parametrize("name", ["", "public", "..", "clinic_0123456789abcdef/..", "clinic_0123456789ABCDEF"])
def test_nothing_but_a_clinics_folder_is_removed(export_directory: Path, name: str) -> None:
    export_directory.mkdir()
    with pytest.raises(ValueError, match="not a clinic's schema"):
        delete_all(name)
    assert export_directory.is_dir()


def test_orphans_go_and_folders_of_clinics_that_are_no_more(bondi: Clinic, harbour: Clinic, path: Path) -> None:
    write(path)  # of no clinic at all
    for clinic in (bondi, harbour):
        storage.create_directory(clinic.schema_name)
        write(storage.export_path(clinic.schema_name, 999))
    Clinic.objects.filter(pk=harbour.pk).update(state=Clinic.State.PURGED)
    with clinic_context("bondi"):
        wanted = Export.objects.create(asked_by="owner@clinic.example", state="ready")
    write(storage.export_path(bondi.schema_name, wanted.pk))
    tasks.clean_up()
    assert storage.list_schemas() == [bondi.schema_name]
    assert [each.name for each in storage.clinic_directory(bondi.schema_name).iterdir()] == [f"{wanted.pk}.zip"]


def test_a_file_that_comes_while_others_are_cleared_away_stays(path: Path) -> None:
    def wanted() -> set[int]:
        write(path)
        return set()

    storage.export_path(SCHEMA, 6).touch()
    assert storage.delete_unneeded(SCHEMA, wanted) == 1
    assert path.exists()


def test_one_clinic_that_fails_keeps_no_other_from_being_tended(
    bondi: Clinic, harbour: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    for clinic in (bondi, harbour):
        storage.create_directory(clinic.schema_name)
        write(storage.export_path(clinic.schema_name, 999))
    first = min(bondi.schema_name, harbour.schema_name)
    settle = requests.update_states

    def fail_first() -> None:
        if requests.current_clinic().schema_name == first:
            raise OSError
        settle()

    monkeypatch.setattr(requests, "update_states", fail_first)
    tasks.clean_up()
    assert storage.list_schemas() == [first]
