"""A restore beside what else happens to the clinic: a purge, a new name, exports that were being made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.stack import wait_until
from tests.ops.committed_clinics import Installation, installation

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("restore")]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("house"), f"{worker_id}_at_once") as built:
        yield built


@pytest.fixture(autouse=True)
def harbour_is_as_it_was(both: Installation) -> Iterator[None]:
    before = both.digest("harbour")
    yield
    assert both.digest("harbour") == before


def backup_of(both: Installation, folder: Path) -> str:
    return str(both.answer("backup", str(folder))["backup"])


def wait_for_the_restore(both: Installation) -> None:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with both.connect() as connection:
        connection.autocommit = True
        wait_until(lambda: connection.execute(waiting.encode()).fetchall(), what="a restore that waits")


def test_a_name_with_a_separator_of_lines_in_it_is_no_hindrance(both: Installation, tmp_path: Path) -> None:
    with both.connect() as connection:
        connection.execute("UPDATE tenants_clinic SET name = %s WHERE label = 'bondi'", ["Bondi\u2028\x85Physio"])
    both.answer("clinic", "restore", "bondi", "--from", backup_of(both, tmp_path), "--drop-former")


@pytest.mark.parametrize("state", ["requested", "running", "ready"])
def test_exports_of_then_are_over(both: Installation, tmp_path: Path, state: str) -> None:
    both.rows(
        "bondi",
        "INSERT INTO exports_export (requested_by, requested_at, state, expires_at, downloaded_by, size, failure)"  # noqa: S608 - ours
        f" VALUES ('owner@clinic.example', now(), '{state}', now() + interval '7 days', '', 0, '')",
    )
    both.answer("clinic", "restore", "bondi", "--from", backup_of(both, tmp_path), "--drop-former")
    held = both.rows("bondi", "DELETE FROM exports_export RETURNING state, failure")
    assert held == [("failed", "The clinic was restored from a backup. Please create a new one.")]


def test_a_clinic_that_gets_another_name_meanwhile_is_restored_all_the_same(both: Installation, tmp_path: Path) -> None:
    backup, former = backup_of(both, tmp_path), both.schema("bondi")
    with both.connect() as holder:
        holder.execute("SELECT 1 FROM tenants_clinic WHERE label = 'bondi' FOR UPDATE")
        child = both.start("clinic", "restore", "bondi", "--from", backup, "--drop-former")
        wait_for_the_restore(both)
        holder.execute("UPDATE tenants_clinic SET label = 'manly' WHERE label = 'bondi'")
        holder.commit()
        assert child.wait() == 0
    with both.connect() as connection:
        connection.execute("UPDATE tenants_clinic SET label = 'bondi' WHERE label = 'manly'")
    assert former not in both.schemas()


def test_whoever_is_suspended_meanwhile_stays_suspended(both: Installation, tmp_path: Path) -> None:
    backup = backup_of(both, tmp_path)
    with both.connect() as holder:
        holder.execute("SELECT 1 FROM tenants_clinic WHERE label = 'bondi' FOR UPDATE")
        child = both.start("clinic", "restore", "bondi", "--from", backup, "--drop-former")
        wait_for_the_restore(both)
        both.rows("bondi", "UPDATE accounts_user SET is_active = false WHERE role = 'reception'")
        holder.rollback()
        assert child.wait() == 0
    assert both.rows("bondi", "SELECT role FROM accounts_user WHERE NOT is_active") == [("reception",)]
    both.rows("bondi", "UPDATE accounts_user SET is_active = true")


def test_another_cliniko_account_is_not_brought_back_unasked(both: Installation, tmp_path: Path) -> None:
    backup = backup_of(both, tmp_path)
    both.rows("bondi", "UPDATE sync_connection SET account_subdomain = 'moved-to'")
    there, words = both.schemas(), ("clinic", "restore", "bondi", "--from", backup)
    assert "another Cliniko account (bondi) than now (moved-to)" in both.refusal(*words)
    assert both.schemas() == there
    both.answer(*words, "--confirm-other-account", "--drop-former")
    assert both.rows("bondi", "SELECT account_subdomain FROM sync_connection") == [("bondi",)]


def test_a_restore_that_is_only_tried_changes_nothing(both: Installation, tmp_path: Path) -> None:
    backup, before, there = backup_of(both, tmp_path), both.digest("bondi"), both.schemas()
    tried = both.answer("clinic", "restore", "bondi", "--from", backup, "--dry-run")
    assert (tried["key_opens"], tried["has_owner"], tried["former_schema"]) == (True, True, "")
    assert (both.digest("bondi"), both.schemas()) == (before, there)


def test_what_is_dropped_is_not_said_to_be_kept(both: Installation, tmp_path: Path) -> None:
    said = both.answer("clinic", "restore", "bondi", "--from", backup_of(both, tmp_path), "--drop-former")
    assert said["former_schema"] == ""
    both.answer("clinic", "restore", "bondi", "--from", backup_of(both, tmp_path / "again"))
    kept = both.schemas()
    assert both.answer("clinic", "drop-former", "bondi", "--dry-run")["dropped"]
    assert both.schemas() == kept
    assert both.answer("clinic", "drop-former", "bondi")["dropped"]


def test_a_purge_waits_for_a_restore_and_leaves_nothing_of_it(both: Installation, tmp_path: Path) -> None:
    backup, held_in = backup_of(both, tmp_path), both.schema("bondi")
    both.answer("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    both.answer("clinic", "suspend", "bondi", "--reason", "goodbye")
    with both.connect() as holder:
        holder.execute(f"CREATE SCHEMA {held_in}".encode())  # which the restore waits for
        child = both.start("clinic", "restore", "bondi", "--from", backup)
        wait_for_the_restore(both)
        assert "is already running" in both.refusal("clinic", "purge", "bondi", "--yes")
        child.kill()
        child.wait()
        holder.rollback()
    assert both.answer("clinic", "purge", "bondi", "--yes")["changed"]
    assert both.schemas() == {both.schema("harbour")}
