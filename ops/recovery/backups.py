"""Write and read backups: the whole database in one file of pg_dump's custom format."""

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ops.errors import Refused
from ops.recovery import pg_tools
from tenants.dates import in_zone
from tenants.metrics import TimestampGauge
from tenants.models import Clinic

SCHEMA = re.compile(r"clinic_[0-9a-f]{16}")
# A restore must not bring back sign-ins of the time of the backup.
EXCLUDED_TABLES = ("django_session", "accounts_opensession", "accounts_usedticket", "cache_entry")

LAST_BACKUP = TimestampGauge("sidechart_last_backup_timestamp_seconds", "Time of the last successful backup.")


def write(folder: Path) -> Path:
    """Write a backup that only its owner can read, and return its path. An unfinished one is named `.part`.

    Raises Refused.
    """
    pg_dump = pg_tools.program("pg_dump")
    path = folder / f"sidechart-{timezone.now():%Y%m%dT%H%M%SZ}.dump"
    part = path.with_suffix(".part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as failure:
        raise Refused(f"Can't write to {folder}: {failure.strerror}.") from None
    try:
        excluded = [f"--exclude-table-data=*.{table}" for table in EXCLUDED_TABLES]
        pg_tools.run([pg_dump, "--format=custom", f"--file={part}", *excluded, f"--dbname={pg_tools.target()}"])
        part.rename(path)
        LAST_BACKUP.set_to_current_time()
    finally:
        part.unlink(missing_ok=True)
    return path


@dataclass(frozen=True)
class Backup:
    """A file that pg_restore can read."""

    path: Path
    made_at: datetime

    def schema_of(self, clinic: Clinic) -> str:
        """Return this clinic's schema name in the backup.

        Raises Refused if the clinic isn't in it, or it's another installation's backup.
        """
        for row in self._clinics():
            same = row["id"] == str(clinic.pk) and parse_datetime(row["created_at"]) == clinic.created_at
            if same and row["state"] != Clinic.State.PURGED and SCHEMA.fullmatch(row["schema_name"]):
                return row["schema_name"]
        raise Refused(f"The backup of {in_zone(self.made_at, UTC)} doesn't contain the clinic {clinic.label!r}.")

    def _clinics(self) -> list[dict[str, str]]:
        options = ("--data-only", "--schema=public", f"--table={Clinic._meta.db_table}", "--file=-")
        text = pg_tools.run([pg_tools.program("pg_restore"), *options, str(self.path)])
        copy = re.search(r"^COPY \S+ \((.*)\) FROM stdin;\n(.*?)^\\\.$", text, re.MULTILINE | re.DOTALL)
        if copy is None:
            return []
        columns = copy[1].split(", ")
        rows = copy[2].removesuffix("\n").split("\n")  # splitlines() would split at U+2028 in a name too
        return [dict(zip(columns, row.split("\t"), strict=True)) for row in rows if row]


def read(path: Path) -> Backup:
    """Return the backup in this file. Raises Refused."""
    if not path.is_file():
        raise Refused(f"There is no file {path}.")
    contents = pg_tools.run([pg_tools.program("pg_restore"), "--list", str(path)])
    made = re.search(r"^; Archive created at (\S+ \S+) (\S+)$", contents, re.MULTILINE)
    if made is None:
        raise Refused(f"{path} has no creation time: it isn't a Sidechart backup.")
    return Backup(path, datetime.strptime(made[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
