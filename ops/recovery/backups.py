"""Backups: the whole database in one file of pg_dump's custom format, and what such a file says of itself."""

import os
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ops.errors import Refused
from ops.recovery import pg_tools
from tenants.metrics import TimestampGauge
from tenants.models import Clinic

SCHEMA = re.compile(r"clinic_[0-9a-f]{16}")
# Whoever was signed in when a backup was made is not signed in again by restoring it.
EXCLUDED_TABLES = ("django_session", "accounts_opensession", "accounts_usedticket", "cache_entry")

LAST_BACKUP = TimestampGauge("sidechart_last_backup_timestamp_seconds", "When a backup was last finished.")


def write(folder: Path) -> Path:
    """Write a backup into the folder, readable by its owner alone, and give its path. Half of one never has a backup's
    name. Raises Refused."""
    pg_dump = pg_tools.program("pg_dump")
    path = folder / f"sidechart-{timezone.now():%Y%m%dT%H%M%SZ}.dump"
    half = path.with_suffix(".part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as failure:
        raise Refused(f"Nothing can be written to {folder}: {failure.strerror}.") from None
    try:
        left_out = [f"--exclude-table-data=*.{table}" for table in EXCLUDED_TABLES]
        run([pg_dump, "--format=custom", f"--file={half}", *left_out, f"--dbname={pg_tools.target()}"])
        half.rename(path)
        LAST_BACKUP.is_now()
    finally:
        half.unlink(missing_ok=True)
    return path


def run(command: list[str]) -> str:
    """Run one of PostgreSQL's programs and give what it printed. Raises Refused with its last words."""
    done = subprocess.run(command, env=pg_tools.environment(), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        last_words = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        raise Refused(f"{Path(command[0]).name} failed: {last_words.rstrip('.')}.")
    return done.stdout


@dataclass(frozen=True)
class Backup:
    """A file that pg_restore can read."""

    path: Path
    made_at: datetime

    def schema_of(self, clinic: Clinic) -> str:
        """The schema that holds this clinic in here. Raises Refused when it is another installation's backup, or the
        clinic was not there yet."""
        for row in self._clinics():
            same = row["id"] == str(clinic.pk) and parse_datetime(row["created_at"]) == clinic.created_at
            if same and row["state"] != Clinic.State.PURGED and SCHEMA.fullmatch(row["schema_name"]):
                return row["schema_name"]
        raise Refused(f"The backup of {self.made_at:%Y-%m-%d %H:%M} UTC does not hold the clinic {clinic.label!r}.")

    def _clinics(self) -> list[dict[str, str]]:
        only = ("--data-only", "--schema=public", f"--table={Clinic._meta.db_table}", "--file=-")
        text = run([pg_tools.program("pg_restore"), *only, str(self.path)])
        copied = re.search(r"^COPY \S+ \((.*)\) FROM stdin;\n(.*?)^\\\.$", text, re.MULTILINE | re.DOTALL)
        if copied is None:
            return []
        columns = copied[1].split(", ")
        lines = copied[2].removesuffix("\n").split("\n")  # of all that Python takes for an end of a line, COPY's own
        return [dict(zip(columns, line.split("\t"), strict=True)) for line in lines if line]


def read(path: Path) -> Backup:
    """Look at a backup. Raises Refused."""
    if not path.is_file():
        raise Refused(f"There is no file {path}.")
    said = run([pg_tools.program("pg_restore"), "--list", str(path)])
    made = re.search(r"^; Archive created at (\S+ \S+) (\S+)$", said, re.MULTILINE)
    if made is None:
        raise Refused(f"{path} does not say when it was made: it is no backup of ours.")
    return Backup(path, datetime.strptime(made[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
