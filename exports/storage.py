"""Export files: a directory per clinic below EXPORT_DIRECTORY, readable by Sidechart's own user only."""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings

_SCHEMA = re.compile(r"clinic_[0-9a-f]{16}")
_FINISH_GRACE = 60  # seconds from a file's last write to its row being "ready"


def clinic_directory(schema_name: str) -> Path:
    """Return a clinic's directory. Raises ValueError for anything but a clinic's schema."""
    if not _SCHEMA.fullmatch(schema_name):
        raise ValueError("That is not a clinic's schema.")
    return Path(settings.EXPORT_DIRECTORY) / schema_name


def export_path(schema_name: str, export_id: int) -> Path:
    """Return the path of an export's finished file."""
    return clinic_directory(schema_name) / f"{export_id}.zip"


def create_directory(schema_name: str) -> None:
    """Create the clinic's directory unless it exists. Raises OSError."""
    Path(settings.EXPORT_DIRECTORY).mkdir(mode=0o700, parents=True, exist_ok=True)
    clinic_directory(schema_name).mkdir(mode=0o700, exist_ok=True)


def delete_all(schema_name: str) -> int:
    """Delete a clinic's exports, including unfinished ones, and return the number of files. Works in public."""
    count = 0
    with suppress(FileNotFoundError):
        count = len(list(clinic_directory(schema_name).iterdir()))
        shutil.rmtree(clinic_directory(schema_name))
    return count


def list_schemas() -> list[str]:
    """Return the schemas of clinics that have a directory."""
    root = Path(settings.EXPORT_DIRECTORY)
    found = root.iterdir() if root.is_dir() else ()
    return sorted(each.name for each in found if _SCHEMA.fullmatch(each.name) and each.is_dir())


@contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that appears at `path` once it is complete and on disk, or not at all.

    The draft is locked while it is being written: a missing lock means that the writer died. Raises OSError, also if
    another process is writing it.
    """
    draft = _draft(path)
    with cast("BinaryIO", open(draft, "r+b", opener=_open_private)) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            file.truncate()
            yield file
            file.flush()
            os.fsync(file.fileno())
            draft.rename(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # otherwise a crash may undo the rename
    finally:
        os.close(directory)


def is_being_written(path: Path) -> bool:
    """Return True if a process is writing this file or has just finished."""
    try:
        with _draft(path).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        with suppress(FileNotFoundError):
            return time.time() - path.stat().st_mtime < _FINISH_GRACE
    return False


def draft_size(path: Path) -> int:
    """Return the bytes written so far of an unfinished file, 0 if there is none."""
    try:
        return _draft(path).stat().st_size
    except FileNotFoundError:
        return 0


def delete(path: Path) -> None:
    """Delete a file and its draft. Processes that have it open can still read it."""
    path.unlink(missing_ok=True)
    _draft(path).unlink(missing_ok=True)


def delete_unneeded(schema_name: str, needed: Callable[[], set[int]]) -> int:
    """Delete a clinic's files except those of the exports in `needed()`, and its directory if none is needed.

    Returns the number of deleted files. The files are listed before `needed` is called, so a file that appears in
    between is safe.
    """
    found = list(clinic_directory(schema_name).iterdir())
    paths = [export_path(schema_name, each) for each in needed()]
    unneeded = set(found) - {*paths, *map(_draft, paths)}
    for path in unneeded:
        path.unlink(missing_ok=True)
    if not paths:
        with suppress(OSError):  # a new export may have started in it
            clinic_directory(schema_name).rmdir()
    return len(unneeded)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, mode=0o600)
