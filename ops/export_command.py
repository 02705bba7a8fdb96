"""`manage.py clinic export`: all of a clinic's data into one file."""

import os
from pathlib import Path
from typing import Any

from django.utils import timezone

from audit.log import OPS, Action, record
from exports import archive, storage
from ops.onboarding import Refused
from tenants.context import clinic_context


def export(label: str, to: Path, *, dry_run: bool = False) -> dict[str, Any]:
    """Write the ZIP to a file that is not there yet, or into a folder under a name with clinic and day.

    Suspended and closing clinics too. Answers `{"clinic", "file", "bytes", "taken_at", "records"}`, the last by
    resource; a dry run counts, writes nothing, and has 0 bytes. Raises NoSuchClinic and Refused.
    """
    with clinic_context(label) as clinic:
        path = _path(to, label)
        if dry_run:
            taken_at, records = archive.count()
            return {"clinic": label, "file": str(path), "bytes": 0, "taken_at": taken_at, "records": records}
        record(Action.EXPORTED, by=OPS, what="clinic")
        try:
            with storage.new_file(path) as file:
                made = archive.write(file, clinic)
        except OSError as failed:
            raise Refused(f"{path} cannot be written: {failed.strerror}.") from failed
    size = path.stat().st_size
    return {"clinic": label, "file": str(path), "bytes": size, "taken_at": made.taken_at, "records": made.records}


def _path(to: Path, label: str) -> Path:
    path = to / f"sidechart-{label}-{timezone.now():%Y-%m-%d}.zip" if to.is_dir() else to
    if path.exists():
        raise Refused(f"{path} is there already.")
    if not path.parent.is_dir():
        raise Refused(f"There is no folder {path.parent}.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Refused(f"{path.parent} is not ours to write into.")
    return path.absolute()
