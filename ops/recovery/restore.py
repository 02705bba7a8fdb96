"""Bringing one clinic back from a backup, into a schema of its own; no other clinic is read or written.

Every step leaves a state that the next call goes on from: until the last one, which is one transaction, the clinic's
row leads to the schema that it had. Why this way: docs/decisions/0023-restore-beside-the-clinic.md.
"""

import copy
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any, TypeVar, cast

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
from ops.recovery.locks import alone, load_lock
from sync import excluded_fields
from sync.connection import sealing
from sync.connection import state as cliniko_connection
from sync.read import status
from sync.walk.schedule import reconcile_all
from tenants import schemas
from tenants.context import NoSuchClinic, enter_clinic, find_clinic
from tenants.models import Clinic, new_schema_name

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Restored:
    """How the clinic stands. `former_schema` is what it had before; "" when that is gone, or was kept in use."""

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

    def in_words(self) -> str:
        """Sentences for ops, the ones first that somebody has to do something about."""
        made_at = f"{self.backup_made_at:%Y-%m-%d %H:%M} UTC"
        said = {
            f"{self.clinic} is as it was at {made_at}. Everybody signs in anew, and invitations are over.": True,
            f"What it had until now is {self.former_schema}: `clinic drop-former` drops it.": self.former_schema,
            "The Cliniko API key does not open with SEALING_KEYS: `clinic set-key` stores one.": not self.key_opens,
            "No owner may sign in: `clinic invite --role owner`.": not self.has_owner,
            f"Not stored, as was chosen since: {', '.join(self.stay_left_out)}.": self.stay_left_out,
            f"{self.stay_suspended} people who were suspended since stay suspended.": self.stay_suspended,
            f"{self.second_factors_lost} second factors do not open: owners reset them.": self.second_factors_lost,
            f"Line {self.log_broken_at} of the access log is not as it was written.": self.log_broken_at,
        }
        return "\n".join(sentence for sentence, holds in said.items() if holds)


@dataclass(frozen=True)
class Accepted:
    """What ops have looked at and take as it is."""

    broken_log: bool = False
    other_account: bool = False


def restore(
    label: str, path: Path, *, drop_former: bool = False, accepted: Accepted = Accepted(), dry_run: bool = False
) -> Restored:
    """Bring a clinic back as it was in the backup; a dry run does all of it but leading the clinic there.

    Raises NoSuchClinic and Refused; the clinic then is as it was.
    """
    clinic = _one_that_is_not_purged(label)
    backup = backups.read(path)
    held_in = backup.schema_of(clinic)
    with alone(clinic):
        for left in schemas.unfinished(clinic):
            schemas.drop(left)
        replica = copy.copy(clinic)
        replica.schema_name = new_schema_name()
        _load(backup, held_in, replica.schema_name, clinic)
        try:
            answer, chain = _make_fit(replica, clinic, backup, held_in, accepted)
            if dry_run:
                schemas.drop(replica.schema_name)
                return replace(answer, former_schema="")
            late = _switch(clinic, replica, chain)
        except BaseException:
            with suppress(DatabaseError):  # what cannot be dropped now is dropped by the next call
                schemas.drop(replica.schema_name)
            raise
        answer = replace(answer, stay_suspended=answer.stay_suspended + late)
        if drop_former:
            _drop(schemas.former(clinic))
            answer = replace(answer, former_schema="")
    log.warning(
        "clinic_restored", clinic=label, former=clinic.schema_name, fresh=answer.schema, former_head=clinic.audit_head
    )
    return answer


def drop_formers(label: str, *, dry_run: bool = False) -> list[str]:
    """Drop what the clinic had before it was restored. Raises NoSuchClinic."""
    names = schemas.former(find_clinic(label))
    if not dry_run:
        _drop(names)
    return names


def _drop(names: list[str]) -> None:
    for name in names:
        schemas.drop(name)


def _one_that_is_not_purged(label: str) -> Clinic:
    if Clinic.objects.filter(label=label, state=Clinic.State.PURGED).exists():
        raise NoSuchClinic(f"The clinic {label!r} was purged, and what is purged stays purged.")
    return find_clinic(label)


def _load(backup: Backup, held_in: str, fresh: str, clinic: Clinic) -> None:
    """Fill the schema `fresh` with what the backup holds in `held_in`, in one transaction.

    The backup's statements name their schema, so for the length of that transaction, and for it alone, what has this
    name steps aside. COMMIT is sent last: whoever is killed before leaves nothing.
    """
    aside = f"{held_in}_aside"
    steps_aside = schemas.exists(held_in)
    before = (
        ["BEGIN;", load_lock(clinic)]
        + [f"ALTER SCHEMA {held_in} RENAME TO {aside};"] * steps_aside
        + [f"CREATE SCHEMA {held_in};"]
    )
    after = [
        f"ALTER SCHEMA {held_in} RENAME TO {fresh};",
        *[f"ALTER SCHEMA {aside} RENAME TO {held_in};"] * steps_aside,
        f"COMMENT ON SCHEMA {fresh} IS '{schemas.unfinished_mark(clinic)}';",
        "COMMIT;",
    ]
    only = ("--no-owner", "--no-privileges", f"--schema={held_in}", "--file=-")
    pg_restore = [pg_tools.program("pg_restore"), *only, str(backup.path)]
    with tempfile.TemporaryFile("w+") as words:
        psql = subprocess.Popen(  # noqa: S603
            _psql(), env=pg_tools.environment(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=words
        )
        whole = _feed(cast(IO[bytes], psql.stdin), pg_restore, before, after)
        failed = psql.wait() != 0
        words.seek(0)
        state = re.search(r"(?:ERROR|FATAL):\s+(\w{5})", words.read())
    if state or failed:
        raise Refused(f"The backup's tables cannot be loaded (SQLSTATE {state[1] if state else 'unknown'}).")
    if not whole:
        raise Refused(f"{backup.path} cannot be read to its end.")


def _psql() -> list[str]:
    # VERBOSITY: an error's text may quote a record.
    options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=sqlstate")
    return [pg_tools.program("psql"), *options, f"--dbname={pg_tools.target()}"]


def _feed(psql: IO[bytes], pg_restore: list[str], before: list[str], after: list[str]) -> bool:
    """Hand the backup's statements to psql, between ours; False when they broke off, and then nothing is committed."""
    reading = subprocess.Popen(  # noqa: S603
        pg_restore, env=pg_tools.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        with psql, reading, cast(IO[bytes], reading.stdout) as statements:
            psql.write("\n".join([*before, ""]).encode())
            shutil.copyfileobj(statements, psql, _CHUNK)
            whole = reading.wait() == 0
            if whole:
                psql.write("\n".join(["", *after, ""]).encode())
        return whole
    except BrokenPipeError:  # psql has stopped at an error
        return False


def _make_fit(
    replica: Clinic, clinic: Clinic, backup: Backup, held_in: str, accepted: Accepted
) -> tuple[Restored, ChainCheck]:
    """Make what was loaded fit to work: how the clinic will stand there, and the log that it will have."""
    _require_known_migrations(replica)
    schemas.migrate(replica.schema_name)
    if not accepted.other_account:
        _require_same_account(replica, clinic)
    suspended = _asked_of(clinic, after_restore.suspended_emails)
    left_out = _asked_of(clinic, excluded_fields.excluded_groups)
    with enter_clinic(replica), transaction.atomic():
        broken_at = audit_log.verify_chain().broken_at
        if broken_at is not None and not accepted.broken_log:
            raise Refused(f"Line {broken_at} of the access log in the backup is not as it was written.")
        people = after_restore.reset_accounts(sealed_in=held_in, suspended_since=suspended)
        stay_left_out = [group.label for group in left_out if excluded_fields.exclude(group, by=OPS)]
        key_opens = sealing.reseal(sealed_in=held_in)
        if not key_opens:
            sealing.delete_key()
        exports.end_after_restore()
        reconcile_all()
        made_at = f"{backup.made_at:%Y-%m-%d %H:%M} UTC"
        audit_log.record(Action.OPS_ACCESS, by=OPS, restored_from=made_at, former=clinic.schema_name)
        chain = audit_log.verify_chain()
    former = clinic.schema_name if schemas.exists(clinic.schema_name) else ""
    found = vars(people) | {
        "stay_left_out": stay_left_out,
        "log_lines": chain.length,
        "log_broken_at": chain.broken_at,
    }
    return Restored(clinic.label, backup.made_at, replica.schema_name, former, key_opens, **found), chain


def _require_same_account(replica: Clinic, clinic: Clinic) -> None:
    """Ids count up alike in all of Cliniko's accounts: the button of one would open somebody else in another."""
    then, now = _account_of(replica), _account_of(clinic)
    if then and now and then != now:
        raise Refused(
            f"In the backup the clinic has another Cliniko account ({then[1]}) than now ({now[1]}), where the same ids"
            " are other people: --confirm-other-account if it has moved back."
        )


def _account_of(clinic: Clinic) -> tuple[str, str] | None:
    """Shard and name of the Cliniko account that is mirrored; None for none, or when the tables do not read."""
    try:
        with enter_clinic(clinic), transaction.atomic():
            held = cliniko_connection.load()
    except DatabaseError:
        return None
    return (held.shard, held.account_subdomain or held.account_name) if held.connected_at else None


def _require_known_migrations(replica: Clinic) -> None:
    with enter_clinic(replica):
        applied = MigrationRecorder(connection).applied_migrations()
    unknown = set(applied) - set(MigrationLoader(None).disk_migrations)
    if unknown:
        raise Refused(f"A newer Sidechart made this backup: {len(unknown)} of its migrations are not known here.")


def _asked_of(clinic: Clinic, question: Callable[[], list[Answer]]) -> list[Answer]:
    """What it answers where the clinic was until now; nothing where that is gone."""
    try:
        with enter_clinic(clinic), transaction.atomic():
            return question()
    except DatabaseError:
        log.warning("former_schema_unreadable", clinic=clinic.label)
        return []


def _how_it_stands(replica: Clinic) -> dict[str, Any]:
    with enter_clinic(replica):
        now, account = status.current(), cliniko_connection.load().account_name
    named = {"name": account[:200]} if account else {}
    return {"sync_state": now.state, "key_state": now.key_state, "checked_at": now.checked_at} | named


def _switch(clinic: Clinic, replica: Clinic, chain: ChainCheck) -> int:
    """The one step that shows: from here on everybody works in the replica. How many people were suspended only while
    it was made fit, and are so there too. Raises Refused when the clinic was purged or restored meanwhile."""
    with transaction.atomic():
        rows = Clinic.objects.filter(pk=clinic.pk, schema_name=clinic.schema_name).exclude(state=Clinic.State.PURGED)
        switched = rows.update(
            schema_name=replica.schema_name,
            sync_due_at=timezone.now(),
            has_more=True,
            **_how_it_stands(replica),
            audit_length=chain.length,
            audit_head=chain.head,
            audit_broken_at=chain.broken_at,
        )
        if not switched:
            raise Refused(f"{clinic.label} changed meanwhile.")
        schemas.record_switch(clinic, replica.schema_name)
        suspended = _asked_of(clinic, after_restore.suspended_emails)
        with enter_clinic(replica):
            return after_restore.resuspend(suspended)
