"""Backups, and one clinic brought back from one while the other works on: killed at any moment, too."""

import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.stack import wait_until
from tests.ops.committed_clinics import Installation, installation

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("restore")]

NOTE = "SELECT text FROM launch_note"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("house"), worker_id) as built:
        yield built


@pytest.fixture(scope="module")
def backed_up_schema(both: Installation) -> str:
    """Where bondi was when the backup was made."""
    return both.schema("bondi")


@pytest.fixture(scope="module")
def backup(both: Installation, backed_up_schema: str) -> str:
    return str(both.answer("backup")["backup"])


@pytest.fixture(autouse=True)
def harbour_is_as_it_was(both: Installation, backup: str) -> Iterator[None]:
    before = both.digest("harbour")
    yield
    assert both.digest("harbour") == before
    left = both.schemas() - {both.schema("bondi"), both.schema("harbour")}
    with both.connect() as connection:
        for name in left:
            comment = connection.execute("SELECT obj_description(%s::regnamespace, 'pg_namespace')", [name]).fetchall()
            assert str(comment[0][0]).startswith(("Sidechart: former schema", "Sidechart: unfinished restore"))
            connection.execute(f'DROP SCHEMA "{name}" CASCADE'.encode())


def test_a_backup_is_readable_by_its_owner_alone(backup: str) -> None:
    assert stat.S_IMODE(Path(backup).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(backup).parent.stat().st_mode) == 0o700
    assert [path.suffix for path in Path(backup).parent.iterdir()] == [".dump"]


def test_a_folder_that_cannot_be_written_to_is_refused(both: Installation) -> None:
    assert "Can't write to /proc" in both.refusal("backup", "/proc/here")


def test_what_was_lost_is_back_and_nobody_is_signed_in(both: Installation, backup: str) -> None:
    former = both.schema("bondi")
    both.rows("bondi", "DELETE FROM launch_note; DELETE FROM sync_patient")
    said = both.answer("clinic", "restore", "bondi", "--from", backup)
    assert both.rows("bondi", NOTE) == [("Ada brings a dog",)]
    assert both.rows("bondi", "SELECT payload->>'first_name' FROM sync_patient WHERE cliniko_id = '42'") == [("Ada",)]
    for table in ("django_session", "accounts_opensession", "accounts_usedticket", "cache_entry"):
        assert both.rows("bondi", f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608 - ours
    assert both.rows("bondi", "SELECT count(*) FROM accounts_invitation WHERE revoked_at IS NULL") == [(0,)]
    assert (said["schema"], said["former_schema"]) == (both.schema("bondi"), former)
    assert both.schemas() >= {former, said["schema"], both.schema("harbour")}


def test_the_key_and_second_factors_open_in_the_new_schema(both: Installation, backup: str) -> None:
    both.answer("clinic", "restore", "bondi", "--from", backup)
    assert both.secrets("bondi") == "bondi-secret-of-the-clinic-au1 ABCDEFGH"


def test_a_key_that_no_longer_opens_leaves_the_clinic_without_one(both: Installation, backup: str) -> None:
    said = both.answer("clinic", "restore", "bondi", "--from", backup, SEALING_KEYS="another-key-" * 4)
    assert (said["key_opens"], said["second_factors_lost"]) == (False, 1)
    assert both.rows("bondi", "SELECT state, key_state, sealed_key FROM sync_connection") == [("no_key", "missing", "")]
    with both.connect() as connection:
        states = connection.execute("SELECT label, key_state FROM tenants_clinic ORDER BY label").fetchall()
    assert states == [("bondi", "missing"), ("harbour", "ok")]
    assert both.rows("bondi", "SELECT count(*) FROM mfa_authenticator") == [(1,)]


def test_the_log_holds_and_says_so(both: Installation, backup: str) -> None:
    both.rows("bondi", "UPDATE accounts_user SET name = 'x'")
    said = both.answer("clinic", "restore", "bondi", "--from", backup)
    action, details = both.rows("bondi", "SELECT action, details FROM audit_event ORDER BY id DESC LIMIT 1")[0]
    assert (action, details["former"]) == ("ops_access", said["former_schema"])
    doctor = both.run("clinic", "doctor", "bondi").stdout
    assert f"{said['log_lines']} lines, unchanged" in doctor


def test_everything_is_compared_with_cliniko_from_the_old_cursors(both: Installation, backup: str) -> None:
    cursor = "SELECT cursor FROM sync_cursor WHERE resource = 'patients'"
    both.answer("clinic", "restore", "bondi", "--from", backup)
    before = both.rows("bondi", cursor)
    both.rows("bondi", "UPDATE sync_cursor SET cursor = now()")
    both.answer("clinic", "restore", "bondi", "--from", backup)
    assert both.rows("bondi", cursor) == before
    assert both.rows("bondi", "SELECT count(*) FROM sync_reconciliation WHERE after_id IS NOT NULL") != [(0,)]


def test_whoever_was_suspended_since_stays_suspended(both: Installation, backup: str) -> None:
    both.answer("clinic", "restore", "bondi", "--from", backup)
    both.rows("bondi", "UPDATE accounts_user SET is_active = false WHERE role = 'reception'")
    assert both.answer("clinic", "restore", "bondi", "--from", backup)["stay_suspended"] == 1
    assert both.rows("bondi", "SELECT role FROM accounts_user WHERE NOT is_active") == [("reception",)]
    both.rows("bondi", "UPDATE accounts_user SET is_active = true")


def test_what_was_left_out_since_stays_left_out_and_what_it_left_out_then_too(both: Installation, backup: str) -> None:
    emails = "SELECT count(*) FROM sync_patient WHERE payload ? 'email'"
    both.answer("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    assert both.rows("bondi", emails) == [(301,)]
    both.rows(
        "bondi",
        "INSERT INTO sync_excludedfield (resource, field, group_name, since, restoring)"
        " VALUES ('patients', 'email', 'email', now(), false); UPDATE sync_patient SET payload = payload - 'email'",
    )
    assert both.answer("clinic", "restore", "bondi", "--from", backup)["stay_left_out"] == ["Email address"]
    assert both.rows("bondi", emails) == [(0,)]
    last = "SELECT details FROM audit_event WHERE action = 'settings_changed' ORDER BY id DESC LIMIT 1"
    assert both.rows("bondi", last) == [({"no_longer_stored": "Email address"},)]
    left_out = str(both.answer("backup")["backup"])
    both.rows("bondi", "DELETE FROM sync_excludedfield")
    assert both.answer("clinic", "restore", "bondi", "--from", left_out)["stay_left_out"] == []
    assert both.rows("bondi", emails) == [(0,)]
    both.answer("clinic", "restore", "bondi", "--from", backup, "--drop-former")


@pytest.mark.parametrize("disaster", ["DROP SCHEMA {} CASCADE", "DROP TABLE {}.accounts_user CASCADE"])
def test_a_schema_that_is_gone_or_torn_is_no_hindrance(both: Installation, backup: str, disaster: str) -> None:
    with both.connect() as connection:
        connection.execute(disaster.format(both.schema("bondi")).encode())
    both.answer("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    assert both.rows("bondi", NOTE) == [("Ada brings a dog",)]


def test_what_it_had_before_is_dropped_when_ops_say_so(both: Installation, backup: str) -> None:
    former = both.schema("bondi")
    both.answer("clinic", "restore", "bondi", "--from", backup)
    assert both.answer("clinic", "drop-former", "harbour")["dropped"] == []
    assert former in both.answer("clinic", "drop-former", "bondi")["dropped"]
    both.answer("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    assert both.schemas() == {both.schema("bondi"), both.schema("harbour")}


def test_a_backup_from_before_a_migration_is_brought_up_to_date(both: Installation, tmp_path: Path) -> None:
    back = both.run("migrate_schemas", "exports", "zero", f"--schema={both.schema('bondi')}", "--verbosity=0")
    assert back.returncode == 0, back.stderr
    old = str(both.answer("backup", str(tmp_path))["backup"])
    both.answer("clinic", "restore", "bondi", "--from", old, "--drop-former")
    assert both.rows("bondi", "SELECT * FROM exports_export") == []


def test_a_backup_of_a_newer_version_is_refused(both: Installation, backup: str, tmp_path: Path) -> None:
    both.answer("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    both.rows("bondi", "INSERT INTO django_migrations (app, name, applied) VALUES ('launch', '9999_new', now())")
    newer = str(both.answer("backup", str(tmp_path))["backup"])
    assert "A newer Sidechart made this backup" in both.refusal("clinic", "restore", "bondi", "--from", newer)
    both.rows("bondi", "DELETE FROM django_migrations WHERE name = '9999_new'")


def test_a_log_that_was_rewritten_is_refused_unless_accepted(both: Installation, backup: str, tmp_path: Path) -> None:
    both.answer("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    both.rows(
        "bondi", "ALTER TABLE audit_event DISABLE TRIGGER audit_append_only; UPDATE audit_event SET user_email = 'x'"
    )
    broken = str(both.answer("backup", str(tmp_path))["backup"])
    words = ("clinic", "restore", "bondi", "--from", broken)
    assert "Line 1 of the access log in the backup" in both.refusal(*words)
    assert both.answer(*words, "--accept-broken-log")["log_broken_at"] == 1
    both.answer("clinic", "restore", "bondi", "--from", backup, "--drop-former")


def test_what_is_no_backup_of_this_clinic_is_refused(both: Installation, backup: str, tmp_path: Path) -> None:
    (tmp_path / "nonsense").write_text("hello")
    assert "There is no file" in both.refusal("clinic", "restore", "bondi", "--from", "/nowhere")
    assert "pg_restore" in both.refusal("clinic", "restore", "bondi", "--from", str(tmp_path / "nonsense"))
    assert "no clinic 'nowhere'" in both.refusal("clinic", "restore", "nowhere", "--from", backup)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_backup_that_was_cut_short_changes_nothing(both: Installation, backup: str, tmp_path: Path, kept: float) -> None:
    whole = Path(backup).read_bytes()
    (tmp_path / "cut.dump").write_bytes(whole[: int(len(whole) * kept)])
    before = both.digest("bondi")
    assert both.refusal("clinic", "restore", "bondi", "--from", str(tmp_path / "cut.dump"))
    assert both.digest("bondi") == before


def test_a_clinic_made_since_or_of_another_installation_is_refused(both: Installation, backup: str) -> None:
    with both.connect() as connection:
        connection.execute("UPDATE tenants_clinic SET created_at = created_at + interval '1 s' WHERE label = 'bondi'")
    assert "doesn't contain the clinic" in both.refusal("clinic", "restore", "bondi", "--from", backup)
    with both.connect() as connection:
        connection.execute("UPDATE tenants_clinic SET created_at = created_at - interval '1 s' WHERE label = 'bondi'")


def test_a_purged_clinic_stays_purged(both: Installation, backup: str) -> None:
    with both.connect() as connection:
        connection.execute("UPDATE tenants_clinic SET state = 'purged' WHERE label = 'bondi'")
    assert "can't be restored" in both.refusal("clinic", "restore", "bondi", "--from", backup)
    with both.connect() as connection:
        connection.execute("UPDATE tenants_clinic SET state = 'active' WHERE label = 'bondi'")


def wait_for_a_lock(both: Installation) -> None:
    """Until somebody waits for a lock that the test holds."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with both.connect() as connection:
        connection.autocommit = True
        wait_until(lambda: connection.execute(waiting.encode()).fetchall(), what="a restore that waits")


@pytest.mark.parametrize("moment", ["before the tables are loaded", "before the clinic is led to them"])
def test_killed_while_it_waits_it_leaves_the_clinic_as_it_was(
    both: Installation, backup: str, backed_up_schema: str, moment: str
) -> None:
    before = both.digest("bondi")
    takes_the_name = f"ALTER SCHEMA {backed_up_schema} RENAME TO held_by_the_test"
    if backed_up_schema not in both.schemas():
        takes_the_name = f"CREATE SCHEMA {backed_up_schema}"
    row = "SELECT 1 FROM tenants_clinic WHERE label = 'bondi' FOR UPDATE"
    with both.connect() as holder:
        holder.execute((takes_the_name if "loaded" in moment else row).encode())
        child = both.start("clinic", "restore", "bondi", "--from", backup)
        wait_for_a_lock(both)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        holder.rollback()
    assert both.digest("bondi") == before
    both.answer("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    assert both.rows("bondi", NOTE) == [("Ada brings a dog",)]


def test_killed_at_any_other_moment_it_is_done_or_not_begun(both: Installation, backup: str) -> None:
    began = time.monotonic()
    both.answer("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    whole = time.monotonic() - began
    killed = 0
    for part in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        former = both.schema("bondi")
        child = both.start("clinic", "restore", "bondi", "--from", backup)
        time.sleep(whole * part)
        child.send_signal(signal.SIGKILL)
        killed += child.wait() == -signal.SIGKILL
        assert both.rows("bondi", NOTE) == [("Ada brings a dog",)]
        assert {former, both.schema("bondi")} <= both.schemas()
    assert killed
    both.answer("clinic", "restore", "bondi", "--from", backup, "--drop-former")


def test_two_restores_of_one_clinic_at_once_are_refused(both: Installation, backup: str) -> None:
    with both.connect() as holder:
        holder.execute("SELECT 1 FROM tenants_clinic WHERE label = 'bondi' FOR UPDATE")
        first = both.start("clinic", "restore", "bondi", "--from", backup, "--drop-former")
        wait_for_a_lock(both)
        assert "is already running" in both.refusal("clinic", "restore", "bondi", "--from", backup)
        holder.rollback()
    assert first.wait() == 0


OLD_PROGRAMS = """
from pathlib import Path
from ops.recovery import pg_tools
from ops.errors import Refused
pg_tools.binaries = lambda: Path("/nowhere")
for name in ("pg_dump", "psql"):
    try:
        pg_tools.program(name)
    except Refused as refused:
        print(refused)
"""


def test_programs_that_are_older_than_the_server_or_missing_are_refused(both: Installation, tmp_path: Path) -> None:
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    old.chmod(0o755)
    said = both.script(OLD_PROGRAMS, PATH=str(tmp_path)).splitlines()
    assert said[0].startswith("pg_dump 9 is too old for PostgreSQL ")
    assert said[1].startswith("psql isn't installed: ")


@pytest.mark.parametrize(
    "words",
    [
        ("backup",),
        ("clinic", "restore", "bondi", "--from", "/nowhere"),
        ("clinic", "doctor", "bondi"),
        ("clinic", "list"),
        ("clinic", "show", "bondi"),
        ("ops", "list"),
    ],
)
def test_a_database_that_is_down_is_one_sentence(both: Installation, words: tuple[str, ...]) -> None:
    said = both.refusal(*words, DATABASE_URL="postgresql://nobody@127.0.0.1:9/nothing")
    assert said.startswith("The database isn't responding.")
