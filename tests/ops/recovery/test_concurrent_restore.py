"""A restore and concurrent changes to the clinic: a purge, a rename, a suspension, exports."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops.committed_clinics import Installation, new_installation

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("restore")]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Installation]:
    with new_installation(tmp_path_factory.mktemp("state"), f"{worker_id}_concurrent") as created:
        yield created


@pytest.fixture(autouse=True)
def harbour_is_unchanged(installation: Installation) -> Iterator[None]:
    before = installation.digest("harbour")
    yield
    assert installation.digest("harbour") == before


def back_up(installation: Installation, folder: Path) -> str:
    return str(installation.run_json("backup", str(folder))["backup"])


def test_a_clinic_whose_name_contains_line_separators_can_be_restored(
    installation: Installation, tmp_path: Path
) -> None:
    with installation.connect() as connection:
        connection.execute("UPDATE tenants_clinic SET name = %s WHERE label = 'bondi'", ["Bondi\u2028\x85Physio"])
    installation.run_json("clinic", "restore", "bondi", "--from", back_up(installation, tmp_path), "--drop-former")


@pytest.mark.parametrize("state", ["requested", "running", "ready"])
def test_exports_in_the_backup_fail(installation: Installation, tmp_path: Path, state: str) -> None:
    installation.query(
        "bondi",
        "INSERT INTO exports_export (requested_by, requested_at, state, expires_at, downloaded_by, size, failure)"  # noqa: S608 - ours
        f" VALUES ('owner@clinic.example', now(), '{state}', now() + interval '7 days', '', 0, '')",
    )
    installation.run_json("clinic", "restore", "bondi", "--from", back_up(installation, tmp_path), "--drop-former")
    exports = installation.query("bondi", "DELETE FROM exports_export RETURNING state, failure")
    assert exports == [("failed", "The clinic was restored from a backup. Please create a new one.")]


def test_a_clinic_renamed_during_the_restore_is_restored(installation: Installation, tmp_path: Path) -> None:
    backup, former = back_up(installation, tmp_path), installation.schema("bondi")
    with installation.connect() as holder:
        holder.execute("SELECT 1 FROM tenants_clinic WHERE label = 'bondi' FOR UPDATE")
        child = installation.start("clinic", "restore", "bondi", "--from", backup, "--drop-former")
        installation.wait_for_blocked_query()
        holder.execute("UPDATE tenants_clinic SET label = 'manly' WHERE label = 'bondi'")
        holder.commit()
        assert child.wait() == 0
    with installation.connect() as connection:
        connection.execute("UPDATE tenants_clinic SET label = 'bondi' WHERE label = 'manly'")
    assert former not in installation.schemas()


def test_a_user_suspended_during_the_restore_stays_suspended(installation: Installation, tmp_path: Path) -> None:
    backup = back_up(installation, tmp_path)
    with installation.connect() as holder:
        holder.execute("SELECT 1 FROM tenants_clinic WHERE label = 'bondi' FOR UPDATE")
        child = installation.start("clinic", "restore", "bondi", "--from", backup, "--drop-former")
        installation.wait_for_blocked_query()
        installation.query("bondi", "UPDATE accounts_user SET is_active = false WHERE role = 'reception'")
        holder.rollback()
        assert child.wait() == 0
    assert installation.query("bondi", "SELECT role FROM accounts_user WHERE NOT is_active") == [("reception",)]
    installation.query("bondi", "UPDATE accounts_user SET is_active = true")


def test_a_backup_of_another_cliniko_account_needs_confirmation(installation: Installation, tmp_path: Path) -> None:
    backup = back_up(installation, tmp_path)
    installation.query("bondi", "UPDATE sync_connection SET account_subdomain = 'moved-to'")
    before, words = installation.schemas(), ("clinic", "restore", "bondi", "--from", backup)
    assert "another Cliniko account (bondi) than now (moved-to)" in installation.refusal(*words)
    assert installation.schemas() == before
    installation.run_json(*words, "--confirm-other-account", "--drop-former")
    assert installation.query("bondi", "SELECT account_subdomain FROM sync_connection") == [("bondi",)]


def test_a_dry_run_changes_nothing(installation: Installation, tmp_path: Path) -> None:
    backup, before, schemas = back_up(installation, tmp_path), installation.digest("bondi"), installation.schemas()
    result = installation.run_json("clinic", "restore", "bondi", "--from", backup, "--dry-run")
    assert (result["key_opens"], result["has_owner"], result["former_schema"]) == (True, True, "")
    assert (installation.digest("bondi"), installation.schemas()) == (before, schemas)


def test_a_dropped_former_schema_is_not_reported(installation: Installation, tmp_path: Path) -> None:
    result = installation.run_json(
        "clinic", "restore", "bondi", "--from", back_up(installation, tmp_path), "--drop-former"
    )
    assert result["former_schema"] == ""
    installation.run_json("clinic", "restore", "bondi", "--from", back_up(installation, tmp_path / "again"))
    before = installation.schemas()
    assert installation.run_json("clinic", "drop-former", "bondi", "--dry-run")["dropped"]
    assert installation.schemas() == before
    assert installation.run_json("clinic", "drop-former", "bondi")["dropped"]


def test_a_purge_is_refused_during_a_restore_and_then_deletes_what_it_left(tmp_path: Path, worker_id: str) -> None:
    (tmp_path / "state").mkdir()
    with new_installation(tmp_path / "state", f"{worker_id}_purge") as installation:
        check_purge_during_restore(installation, tmp_path)


def check_purge_during_restore(installation: Installation, tmp_path: Path) -> None:
    backup, backup_schema = back_up(installation, tmp_path), installation.schema("bondi")
    installation.run_json("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    installation.run_json("clinic", "suspend", "bondi", "--reason", "goodbye")
    with installation.connect() as holder:
        holder.execute(f"CREATE SCHEMA {backup_schema}".encode())  # which the restore waits for
        child = installation.start("clinic", "restore", "bondi", "--from", backup)
        installation.wait_for_blocked_query()
        assert "is already running" in installation.refusal("clinic", "purge", "bondi", "--yes")
        child.kill()
        child.wait()
        holder.rollback()
    assert installation.run_json("clinic", "purge", "bondi", "--yes")["changed"]
    assert installation.schemas() == {installation.schema("harbour")}
