"""Restore one clinic from a backup into a new schema. No other clinic is read or written.

Until the last step, one transaction, the clinic's row names its current schema. If interrupted, the next call starts
over. Why this way: docs/decisions/0023-a-restore-builds-a-new-schema-beside-the-clinic.md.
"""

import copy
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TypeVar, cast

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from accounts import after_restore
from audit import log as audit_log
from audit.log import OPS, Action, ChainCheck
from exports import requests as exports
from ops.errors import Refused
from ops.recovery import backups, pg_tools
from ops.recovery.backups import Backup
from ops.recovery.locks import clinic_lock, load_lock_sql
from sync import excluded_fields
from sync.connection import sealing
from sync.connection import state as cliniko_connection
from sync.read import status
from sync.walk.schedule import reconcile_all
from tenants import schemas
from tenants.context import NoSuchClinic, enter_clinic, find_clinic
from tenants.dates import in_zone
from tenants.models import Clinic, new_schema_name

log = structlog.get_logger(__name__)
T = TypeVar("T")
_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class RestoreResult:
    """The restored clinic's state. The field names are the keys of the JSON output.

    `former_schema` is the schema it had before, or "" if that is gone or still in use.
    """

    clinic: str
    backup_made_at: datetime
    schema: str
    former_schema: str
    key_opens: bool
    stay_left_out: list[str]
    stay_suspended: int
    second_factors_lost: int
    has_owner: bool
    log_lines: int
    log_broken_at: int | None

    def summary(self) -> str:
        """Return sentences for the operator, those that need action first."""
        made_at = in_zone(self.backup_made_at, UTC)
        sentences = {
            f"{self.clinic} is restored to {made_at}. Everyone has to sign in again; invitations are cancelled.": True,
            f"The former schema is {self.former_schema}: `clinic drop-former` drops it.": self.former_schema,
            "SEALING_KEYS can't decrypt the Cliniko API key: enter one with `clinic set-key`.": not self.key_opens,
            "No owner can sign in: run `clinic invite --role owner`.": not self.has_owner,
            f"Still not stored, as chosen since: {', '.join(self.stay_left_out)}.": self.stay_left_out,
            f"{self.stay_suspended} users suspended since then stay suspended.": self.stay_suspended,
            f"{self.second_factors_lost} second factors can't be decrypted: owners reset them.": (
                self.second_factors_lost
            ),
            f"Entry {self.log_broken_at} of the access log was changed or removed.": self.log_broken_at,
        }
        return "\n".join(sentence for sentence, applies in sentences.items() if applies)


@dataclass(frozen=True)
class Overrides:
    """Problems in the backup that the operator has accepted."""

    broken_log: bool = False
    other_account: bool = False


def restore(
    label: str, path: Path, *, drop_former: bool = False, overrides: Overrides = Overrides(), dry_run: bool = False
) -> RestoreResult:
    """Restore a clinic to the state of the backup. A dry run does everything except switch the clinic to it.

    Raises NoSuchClinic and Refused, which leave the clinic unchanged.
    """
    if Clinic.objects.filter(label=label, state=Clinic.State.PURGED).exists():
        raise NoSuchClinic(f"The clinic {label!r} was purged, and a purged clinic can't be restored.")
    clinic = find_clinic(label)
    backup = backups.read(path)
    backup_schema = backup.schema_of(clinic)
    with clinic_lock(clinic):
        _drop_all(schemas.unfinished(clinic))
        replica = copy.copy(clinic)
        replica.schema_name = new_schema_name()
        _load(backup, backup_schema, replica.schema_name, clinic)
        try:
            result, chain = _prepare(replica, clinic, backup, backup_schema, overrides)
            if dry_run:
                schemas.drop(replica.schema_name)
                return replace(result, former_schema="")
            suspended_late = _switch(clinic, replica, chain)
        except BaseException:
            with suppress(DatabaseError):  # the next call drops it
                schemas.drop(replica.schema_name)
            raise
        result = replace(result, stay_suspended=result.stay_suspended + suspended_late)
        if drop_former:
            _drop_all(schemas.former(clinic))
            result = replace(result, former_schema="")
    log.warning(
        "clinic_restored", clinic=label, former=clinic.schema_name, schema=result.schema, former_head=clinic.audit_head
    )
    return result


def drop_former(label: str, *, dry_run: bool = False) -> list[str]:
    """Drop the schemas the clinic had before it was restored, and return their names. Raises NoSuchClinic."""
    names = schemas.former(find_clinic(label))
    if not dry_run:
        _drop_all(names)
    return names


def _drop_all(names: list[str]) -> None:
    for name in names:
        schemas.drop(name)


def _load(backup: Backup, backup_schema: str, new_schema: str, clinic: Clinic) -> None:
    """Load the backup's schema into `new_schema` in one transaction. Raises Refused.

    The backup's statements name their schema, so a schema of that name is renamed for the length of the transaction.
    COMMIT is sent last: if this process is killed before, nothing remains.
    """
    aside = f"{backup_schema}_aside"
    name_taken = schemas.exists(backup_schema)
    before = [
        "BEGIN;",
        load_lock_sql(clinic),
        *[f"ALTER SCHEMA {backup_schema} RENAME TO {aside};"] * name_taken,
        f"CREATE SCHEMA {backup_schema};",
    ]
    after = [
        f"ALTER SCHEMA {backup_schema} RENAME TO {new_schema};",
        *[f"ALTER SCHEMA {aside} RENAME TO {backup_schema};"] * name_taken,
        f"COMMENT ON SCHEMA {new_schema} IS '{schemas.unfinished_comment(clinic)}';",
        "COMMIT;",
    ]
    options = ("--no-owner", "--no-privileges", f"--schema={backup_schema}", "--file=-")
    pg_restore = [pg_tools.program("pg_restore"), *options, str(backup.path)]
    # VERBOSITY=sqlstate: an error's text may quote a record.
    psql_options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=sqlstate")
    psql_command = [pg_tools.program("psql"), *psql_options, f"--dbname={pg_tools.target()}"]
    with tempfile.TemporaryFile("w+") as errors:
        psql = subprocess.Popen(  # noqa: S603 - our own command
            psql_command, env=pg_tools.environment(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
        )
        complete = _pipe(pg_restore, cast("IO[bytes]", psql.stdin), before, after)
        failed = psql.wait() != 0
        errors.seek(0)
        sqlstate = re.search(r"(?:ERROR|FATAL):\s+(\w{5})", errors.read())
    if sqlstate or failed:
        raise Refused(f"Can't load the backup's tables (SQLSTATE {sqlstate[1] if sqlstate else 'unknown'}).")
    if not complete:
        raise Refused(f"{backup.path} is damaged or incomplete.")


def _pipe(pg_restore: list[str], psql: IO[bytes], before: list[str], after: list[str]) -> bool:
    """Send the backup's statements to psql between ours. Return False if they broke off: then COMMIT isn't sent."""
    source = subprocess.Popen(  # noqa: S603 - our own command
        pg_restore, env=pg_tools.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        with psql, source, cast("IO[bytes]", source.stdout) as statements:
            psql.write("\n".join([*before, ""]).encode())
            shutil.copyfileobj(statements, psql, _CHUNK)
            complete = source.wait() == 0
            if complete:
                psql.write("\n".join(["", *after, ""]).encode())
        return complete
    except BrokenPipeError:  # psql stopped at an error
        return False


def _prepare(
    replica: Clinic, clinic: Clinic, backup: Backup, backup_schema: str, overrides: Overrides
) -> tuple[RestoreResult, ChainCheck]:
    """Migrate and check the loaded schema, reset its accounts and secrets, and record the restore in its access log."""
    _require_known_migrations(replica)
    schemas.migrate(replica.schema_name)
    if not overrides.other_account:
        _require_same_account(replica, clinic)
    suspended = _query_current(clinic, after_restore.suspended_emails)
    excluded = _query_current(clinic, excluded_fields.excluded_groups)
    with enter_clinic(replica), transaction.atomic():
        broken_at = audit_log.verify_chain().broken_at
        if broken_at is not None and not overrides.broken_log:
            raise Refused(f"Entry {broken_at} of the access log in the backup was changed or removed.")
        staff = after_restore.reset_accounts(sealed_in=backup_schema, suspended_since=suspended)
        stay_left_out = [group.label for group in excluded if excluded_fields.exclude(group, by=OPS)]
        key_opens = sealing.reseal(sealed_in=backup_schema)
        if not key_opens:
            sealing.delete_key()
        exports.fail_all_after_restore()
        reconcile_all()
        made_at = in_zone(backup.made_at, UTC)
        audit_log.record(Action.OPS_ACCESS, by=OPS, restored_from=made_at, former=clinic.schema_name)
        chain = audit_log.verify_chain()
    result = RestoreResult(
        clinic=clinic.label,
        backup_made_at=backup.made_at,
        schema=replica.schema_name,
        former_schema=clinic.schema_name if schemas.exists(clinic.schema_name) else "",
        key_opens=key_opens,
        stay_left_out=stay_left_out,
        stay_suspended=staff.stay_suspended,
        second_factors_lost=staff.second_factors_lost,
        has_owner=staff.has_owner,
        log_lines=chain.length,
        log_broken_at=chain.broken_at,
    )
    return result, chain


def _require_same_account(replica: Clinic, clinic: Clinic) -> None:
    """Raise Refused for a backup of another Cliniko account: the same ids are other patients there."""
    then, now = _cliniko_account(replica), _cliniko_account(clinic)
    if then and now and then != now:
        raise Refused(
            f"The backup is of another Cliniko account ({then[1]}) than now ({now[1]}), where the same IDs are other"
            " patients. If the clinic has moved back, use --confirm-other-account."
        )


def _cliniko_account(clinic: Clinic) -> tuple[str, str] | None:
    """Return the shard and name of the mirrored Cliniko account; None without one or if the tables are broken."""
    try:
        with enter_clinic(clinic), transaction.atomic():
            stored = cliniko_connection.load()
    except DatabaseError:
        return None
    return (stored.shard, stored.account_subdomain or stored.account_name) if stored.connected_at else None


def _require_known_migrations(replica: Clinic) -> None:
    with enter_clinic(replica):
        applied = MigrationRecorder(connection).applied_migrations()
    unknown = set(applied) - set(MigrationLoader(None).disk_migrations)
    if unknown:
        raise Refused(
            f"Another version of Sidechart made this backup: this one doesn't have {len(unknown)} of its migrations."
        )


def _query_current(clinic: Clinic, query: Callable[[], list[T]]) -> list[T]:
    """Run the query in the clinic's current schema; return [] if that is gone or broken."""
    try:
        with enter_clinic(clinic), transaction.atomic():
            return query()
    except DatabaseError:
        log.warning("former_schema_unreadable", clinic=clinic.label)
        return []


def _switch(clinic: Clinic, replica: Clinic, chain: ChainCheck) -> int:
    """Switch the clinic to the replica. Return how many users were suspended since `_prepare`; they are here too.

    Raises Refused if the clinic was purged or restored in the meantime.
    """
    with enter_clinic(replica):
        now, account = status.current(), cliniko_connection.load().account_name
    with transaction.atomic():
        rows = Clinic.objects.filter(pk=clinic.pk, schema_name=clinic.schema_name).exclude(state=Clinic.State.PURGED)
        switched = rows.update(
            schema_name=replica.schema_name,
            sync_due_at=timezone.now(),
            has_more=True,
            sync_state=now.state,
            key_state=now.key_state,
            checked_at=now.checked_at,
            audit_length=chain.length,
            audit_head=chain.head,
            audit_broken_at=chain.broken_at,
            **({"name": account[:200]} if account else {}),
        )
        if not switched:
            raise Refused(f"{clinic.label} was purged or restored in the meantime.")
        schemas.record_switch(clinic, replica.schema_name)
        suspended = _query_current(clinic, after_restore.suspended_emails)
        with enter_clinic(replica):
            return after_restore.suspend_again(suspended)
