"""Export a clinic's data to a file, for `manage.py clinic export`."""

import os
from pathlib import Path
from typing import Any

from django.utils import timezone

from audit.log import OPS, Action, record
from exports import archive, storage
from ops.errors import Refused
from tenants.context import clinic_context


def export(label: str, to: Path, *, dry_run: bool = False) -> dict[str, Any]:
    """Write the ZIP to a new file, or into a folder as `sidechart-LABEL-DATE.zip`.

    Works for suspended and closing clinics too. Returns `{"clinic", "file", "bytes", "taken_at", "records"}`, the last
    by resource. A dry run only counts the records and returns 0 bytes. Raises NoSuchClinic and Refused.
    """
    with clinic_context(label) as clinic:
        path = _new_path(to, label)
        if dry_run:
            taken_at, records = archive.count_records()
            return {"clinic": label, "file": str(path), "bytes": 0, "taken_at": taken_at, "records": records}
        record(Action.EXPORTED, by=OPS, what="clinic")
        try:
            with storage.write_atomically(path) as file:
                written = archive.write(file, clinic)
        except OSError as failed:
            raise Refused(f"Can't write {path}: {failed.strerror}.") from failed
    size = path.stat().st_size
    return {"clinic": label, "file": str(path), "bytes": size, "taken_at": written.taken_at, "records": written.records}


def _new_path(to: Path, label: str) -> Path:
    path = to / f"sidechart-{label}-{timezone.now():%Y-%m-%d}.zip" if to.is_dir() else to
    if path.exists():
        raise Refused(f"{path} already exists.")
    if not path.parent.is_dir():
        raise Refused(f"There is no folder {path.parent}.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Refused(f"No permission to write to {path.parent}.")
    return path.absolute()
