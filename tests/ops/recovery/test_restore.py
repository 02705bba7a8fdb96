"""Backups, and restoring one clinic while the other keeps working, even if the restore is killed at any moment."""

import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops.committed_clinics import Installation, new_installation

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("restore")]

NOTE = "SELECT text FROM launch_note"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Installation]:
    with new_installation(tmp_path_factory.mktemp("state"), worker_id) as created:
        yield created


@pytest.fixture(scope="module")
def backed_up_schema(installation: Installation) -> str:
    """Bondi's schema when the backup was made."""
    return installation.schema("bondi")


@pytest.fixture(scope="module")
def backup(installation: Installation, backed_up_schema: str) -> str:
    return str(installation.run_json("backup")["backup"])


@pytest.fixture(autouse=True)
def harbour_is_unchanged(installation: Installation, backup: str) -> Iterator[None]:
    before = installation.digest("harbour")
    yield
    assert installation.digest("harbour") == before
    left = installation.schemas() - {installation.schema("bondi"), installation.schema("harbour")}
    with installation.connect() as connection:
        for name in left:
            comment = connection.execute("SELECT obj_description(%s::regnamespace, 'pg_namespace')", [name]).fetchall()
            assert str(comment[0][0]).startswith(("Sidechart: former schema", "Sidechart: unfinished restore"))
            connection.execute(f'DROP SCHEMA "{name}" CASCADE'.encode())


def test_only_the_owner_can_read_a_backup(backup: str) -> None:
    assert stat.S_IMODE(Path(backup).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(backup).parent.stat().st_mode) == 0o700
    assert [path.suffix for path in Path(backup).parent.iterdir()] == [".dump"]


def test_an_unwritable_folder_is_refused(installation: Installation) -> None:
    assert "Can't write to /proc" in installation.refusal("backup", "/proc/here")


def test_a_restore_brings_back_lost_data_and_signs_everyone_out(installation: Installation, backup: str) -> None:
    former = installation.schema("bondi")
    installation.query("bondi", "DELETE FROM launch_note; DELETE FROM sync_patient")
    result = installation.run_json("clinic", "restore", "bondi", "--from", backup)
    assert installation.query("bondi", NOTE) == [("Ada brings a dog",)]
    assert installation.query("bondi", "SELECT payload->>'first_name' FROM sync_patient WHERE cliniko_id = '42'") == [
        ("Ada",)
    ]
    for table in ("django_session", "accounts_opensession", "accounts_usedticket", "cache_entry"):
        assert installation.query("bondi", f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608 - ours
    assert installation.query("bondi", "SELECT count(*) FROM accounts_invitation WHERE revoked_at IS NULL") == [(0,)]
    assert (result["schema"], result["former_schema"]) == (installation.schema("bondi"), former)
    assert installation.schemas() >= {former, result["schema"], installation.schema("harbour")}


def test_the_key_and_second_factors_are_resealed_for_the_new_schema(installation: Installation, backup: str) -> None:
    installation.run_json("clinic", "restore", "bondi", "--from", backup)
    assert installation.secrets("bondi") == "bondi-secret-of-the-clinic-au1 ABCDEFGH"


def test_a_key_that_cannot_be_decrypted_is_deleted(installation: Installation, backup: str) -> None:
    result = installation.run_json("clinic", "restore", "bondi", "--from", backup, SEALING_KEYS="another-key-" * 4)
    assert (result["key_opens"], result["second_factors_lost"]) == (False, 1)
    assert installation.query("bondi", "SELECT state, key_state, sealed_key FROM sync_connection") == [
        ("no_key", "missing", "")
    ]
    with installation.connect() as connection:
        states = connection.execute("SELECT label, key_state FROM tenants_clinic ORDER BY label").fetchall()
    assert states == [("bondi", "missing"), ("harbour", "ok")]
    assert installation.query("bondi", "SELECT count(*) FROM mfa_authenticator") == [(1,)]


def test_the_access_log_stays_verifiable_and_records_the_restore(installation: Installation, backup: str) -> None:
    installation.query("bondi", "UPDATE accounts_user SET name = 'x'")
    result = installation.run_json("clinic", "restore", "bondi", "--from", backup)
    action, details = installation.query("bondi", "SELECT action, details FROM audit_event ORDER BY id DESC LIMIT 1")[0]
    assert (action, details["former"]) == ("ops_access", result["former_schema"])
    doctor = installation.run("clinic", "doctor", "bondi").stdout
    assert f"{result['log_lines']} entries, unchanged" in doctor


def test_a_restore_starts_a_full_comparison_and_keeps_the_cursors_of_the_backup(
    installation: Installation, backup: str
) -> None:
    cursor = "SELECT cursor FROM sync_cursor WHERE resource = 'patients'"
    installation.run_json("clinic", "restore", "bondi", "--from", backup)
    before = installation.query("bondi", cursor)
    installation.query("bondi", "UPDATE sync_cursor SET cursor = now()")
    installation.run_json("clinic", "restore", "bondi", "--from", backup)
    assert installation.query("bondi", cursor) == before
    assert installation.query("bondi", "SELECT count(*) FROM sync_reconciliation WHERE after_id IS NOT NULL") != [(0,)]


def test_users_suspended_since_the_backup_stay_suspended(installation: Installation, backup: str) -> None:
    installation.run_json("clinic", "restore", "bondi", "--from", backup)
    installation.query("bondi", "UPDATE accounts_user SET is_active = false WHERE role = 'reception'")
    assert installation.run_json("clinic", "restore", "bondi", "--from", backup)["stay_suspended"] == 1
    assert installation.query("bondi", "SELECT role FROM accounts_user WHERE NOT is_active") == [("reception",)]
    installation.query("bondi", "UPDATE accounts_user SET is_active = true")


def test_fields_excluded_since_the_backup_and_in_the_backup_stay_excluded(
    installation: Installation, backup: str, tmp_path: Path
) -> None:
    emails = "SELECT count(*) FROM sync_patient WHERE payload ? 'email'"
    installation.run_json("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    assert installation.query("bondi", emails) == [(301,)]
    installation.query(
        "bondi",
        "INSERT INTO sync_excludedfield (resource, field, group_name, since, restoring)"
        " VALUES ('patients', 'email', 'email', now(), false); UPDATE sync_patient SET payload = payload - 'email'",
    )
    assert installation.run_json("clinic", "restore", "bondi", "--from", backup)["stay_left_out"] == ["Email address"]
    assert installation.query("bondi", emails) == [(0,)]
    last = "SELECT details FROM audit_event WHERE action = 'settings_changed' ORDER BY id DESC LIMIT 1"
    assert installation.query("bondi", last) == [({"no_longer_stored": "Email address"},)]
    left_out = str(installation.run_json("backup", str(tmp_path))["backup"])
    installation.query("bondi", "DELETE FROM sync_excludedfield")
    assert installation.run_json("clinic", "restore", "bondi", "--from", left_out)["stay_left_out"] == []
    assert installation.query("bondi", emails) == [(0,)]
    installation.run_json("clinic", "restore", "bondi", "--from", backup, "--drop-former")


@pytest.mark.parametrize("disaster", ["DROP SCHEMA {} CASCADE", "DROP TABLE {}.accounts_user CASCADE"])
def test_a_missing_or_broken_schema_can_be_restored(installation: Installation, backup: str, disaster: str) -> None:
    with installation.connect() as connection:
        connection.execute(disaster.format(installation.schema("bondi")).encode())
    installation.run_json("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    assert installation.query("bondi", NOTE) == [("Ada brings a dog",)]


def test_the_former_schema_is_dropped_on_request(installation: Installation, backup: str) -> None:
    former = installation.schema("bondi")
    installation.run_json("clinic", "restore", "bondi", "--from", backup)
    assert installation.run_json("clinic", "drop-former", "harbour")["dropped"] == []
    assert former in installation.run_json("clinic", "drop-former", "bondi")["dropped"]
    installation.run_json("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    assert installation.schemas() == {installation.schema("bondi"), installation.schema("harbour")}


def test_an_older_backup_is_migrated(installation: Installation, tmp_path: Path) -> None:
    back = installation.run(
        "migrate_schemas", "exports", "zero", f"--schema={installation.schema('bondi')}", "--verbosity=0"
    )
    assert back.returncode == 0, back.stderr
    old = str(installation.run_json("backup", str(tmp_path))["backup"])
    installation.run_json("clinic", "restore", "bondi", "--from", old, "--drop-former")
    assert installation.query("bondi", "SELECT * FROM exports_export") == []


def test_a_backup_of_a_newer_version_is_refused(installation: Installation, backup: str, tmp_path: Path) -> None:
    installation.run_json("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    installation.query(
        "bondi", "INSERT INTO django_migrations (app, name, applied) VALUES ('launch', '9999_new', now())"
    )
    newer = str(installation.run_json("backup", str(tmp_path))["backup"])
    assert "Another version of Sidechart made this backup" in installation.refusal(
        "clinic", "restore", "bondi", "--from", newer
    )
    installation.query("bondi", "DELETE FROM django_migrations WHERE name = '9999_new'")


def test_a_backup_with_a_changed_access_log_is_refused_unless_accepted(
    installation: Installation, backup: str, tmp_path: Path
) -> None:
    installation.run_json("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    installation.query(
        "bondi", "ALTER TABLE audit_event DISABLE TRIGGER audit_append_only; UPDATE audit_event SET user_email = 'x'"
    )
    broken = str(installation.run_json("backup", str(tmp_path))["backup"])
    words = ("clinic", "restore", "bondi", "--from", broken)
    assert "Entry 1 of the access log in the backup" in installation.refusal(*words)
    assert installation.run_json(*words, "--accept-broken-log")["log_broken_at"] == 1
    installation.run_json("clinic", "restore", "bondi", "--from", backup, "--drop-former")


def test_a_missing_file_a_file_that_is_no_backup_and_an_unknown_clinic_are_refused(
    installation: Installation, backup: str, tmp_path: Path
) -> None:
    (tmp_path / "nonsense").write_text("hello")
    assert "There is no file" in installation.refusal("clinic", "restore", "bondi", "--from", "/nowhere")
    assert "pg_restore" in installation.refusal("clinic", "restore", "bondi", "--from", str(tmp_path / "nonsense"))
    assert "no clinic 'nowhere'" in installation.refusal("clinic", "restore", "nowhere", "--from", backup)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_an_incomplete_backup_changes_nothing(
    installation: Installation, backup: str, tmp_path: Path, part: float
) -> None:
    whole = Path(backup).read_bytes()
    (tmp_path / "cut.dump").write_bytes(whole[: int(len(whole) * part)])
    before = installation.digest("bondi")
    assert installation.refusal("clinic", "restore", "bondi", "--from", str(tmp_path / "cut.dump"))
    assert installation.digest("bondi") == before


def test_a_clinic_created_later_or_of_another_installation_is_refused(installation: Installation, backup: str) -> None:
    with installation.connect() as connection:
        connection.execute("UPDATE tenants_clinic SET created_at = created_at + interval '1 s' WHERE label = 'bondi'")
    assert "doesn't contain the clinic" in installation.refusal("clinic", "restore", "bondi", "--from", backup)
    with installation.connect() as connection:
        connection.execute("UPDATE tenants_clinic SET created_at = created_at - interval '1 s' WHERE label = 'bondi'")


def test_a_purged_clinic_stays_purged(installation: Installation, backup: str) -> None:
    with installation.connect() as connection:
        connection.execute("UPDATE tenants_clinic SET state = 'purged' WHERE label = 'bondi'")
    assert "can't be restored" in installation.refusal("clinic", "restore", "bondi", "--from", backup)
    with installation.connect() as connection:
        connection.execute("UPDATE tenants_clinic SET state = 'active' WHERE label = 'bondi'")


@pytest.mark.parametrize("moment", ["before the tables are loaded", "before the clinic is switched"])
def test_a_restore_killed_while_it_waits_changes_nothing(
    installation: Installation, backup: str, backed_up_schema: str, moment: str
) -> None:
    before = installation.digest("bondi")
    take_the_name = f"ALTER SCHEMA {backed_up_schema} RENAME TO renamed_by_the_test"
    if backed_up_schema not in installation.schemas():
        take_the_name = f"CREATE SCHEMA {backed_up_schema}"
    row = "SELECT 1 FROM tenants_clinic WHERE label = 'bondi' FOR UPDATE"
    with installation.connect() as holder:
        holder.execute((take_the_name if "loaded" in moment else row).encode())
        child = installation.start("clinic", "restore", "bondi", "--from", backup)
        installation.wait_for_blocked_query()
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        holder.rollback()
    assert installation.digest("bondi") == before
    installation.run_json("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    assert installation.query("bondi", NOTE) == [("Ada brings a dog",)]


def test_a_restore_killed_at_any_other_time_is_complete_or_changes_nothing(
    installation: Installation, backup: str
) -> None:
    began = time.monotonic()
    installation.run_json("clinic", "restore", "bondi", "--from", backup, "--drop-former")
    whole = time.monotonic() - began
    killed = 0
    for part in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        former = installation.schema("bondi")
        child = installation.start("clinic", "restore", "bondi", "--from", backup)
        time.sleep(whole * part)
        child.send_signal(signal.SIGKILL)
        killed += child.wait() == -signal.SIGKILL
        assert installation.query("bondi", NOTE) == [("Ada brings a dog",)]
        assert {former, installation.schema("bondi")} <= installation.schemas()
    assert killed
    installation.run_json("clinic", "restore", "bondi", "--from", backup, "--drop-former")


def test_a_second_restore_of_a_clinic_at_the_same_time_is_refused(installation: Installation, backup: str) -> None:
    with installation.connect() as holder:
        holder.execute("SELECT 1 FROM tenants_clinic WHERE label = 'bondi' FOR UPDATE")
        first = installation.start("clinic", "restore", "bondi", "--from", backup, "--drop-former")
        installation.wait_for_blocked_query()
        assert "is already running" in installation.refusal("clinic", "restore", "bondi", "--from", backup)
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


def test_old_or_missing_client_programs_are_refused(installation: Installation, tmp_path: Path) -> None:
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    old.chmod(0o755)
    refusals = installation.run_script(OLD_PROGRAMS, PATH=str(tmp_path)).splitlines()
    assert refusals[0].startswith("pg_dump 9 is too old for PostgreSQL ")
    assert refusals[1].startswith("psql isn't installed: ")


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
def test_a_database_outage_is_reported_in_one_sentence(installation: Installation, words: tuple[str, ...]) -> None:
    refusal = installation.refusal(*words, DATABASE_URL="postgresql://nobody@127.0.0.1:9/nothing")
    assert refusal.startswith("The database isn't responding.")
