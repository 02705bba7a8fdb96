"""Where exports lie: a folder for each clinic below EXPORT_DIRECTORY, readable by our own processes alone."""

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
_ARRIVES_WITHIN = 60  # seconds from a file's last write to its row saying so


def folder(schema_name: str) -> Path:
    """The folder of a clinic. Raises ValueError for what is no clinic's schema."""
    if not _SCHEMA.fullmatch(schema_name):
        raise ValueError("That is not a clinic's schema.")
    return Path(settings.EXPORT_DIRECTORY) / schema_name


def place(schema_name: str, export_id: int) -> Path:
    """Where an export of a clinic lies once it is whole."""
    return folder(schema_name) / f"{export_id}.zip"


def prepare(schema_name: str) -> None:
    """Make the clinic's folder. Raises OSError."""
    Path(settings.EXPORT_DIRECTORY).mkdir(mode=0o700, parents=True, exist_ok=True)
    folder(schema_name).mkdir(mode=0o700, exist_ok=True)


def remove_all(schema_name: str) -> int:
    """Delete every export of a clinic, also one that is being made: how many files. Stands in public; nothing there is
    no error."""
    count = 0
    with suppress(FileNotFoundError):
        count = len(list(folder(schema_name).iterdir()))
        shutil.rmtree(folder(schema_name))
    return count


def folders() -> list[str]:
    """The schemas of clinics that have a folder."""
    root = Path(settings.EXPORT_DIRECTORY)
    found = root.iterdir() if root.is_dir() else ()
    return sorted(each.name for each in found if _SCHEMA.fullmatch(each.name) and each.is_dir())


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name once it is whole and on the disk; otherwise nothing of it stays.

    It is locked while it is written: a lock that is gone is a writer that died. Raises OSError, also while another
    process writes it.
    """
    draft = _draft(path)
    with cast(BinaryIO, open(draft, "r+b", opener=_for_us_alone)) as file:
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
    _sync_folder(path.parent)


def is_being_written(path: Path) -> bool:
    """Whether somebody writes this file, or has just finished it."""
    try:
        with _draft(path).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        with suppress(FileNotFoundError):
            return time.time() - path.stat().st_mtime < _ARRIVES_WITHIN
    return False


def size_so_far(path: Path) -> int:
    """Bytes of a file that is being written, 0 when there are none."""
    try:
        return _draft(path).stat().st_size
    except FileNotFoundError:
        return 0


def discard(path: Path) -> None:
    """Delete a file and what was written of it; who has it open reads on."""
    path.unlink(missing_ok=True)
    _draft(path).unlink(missing_ok=True)


def sweep(schema_name: str, wanted: Callable[[], set[int]]) -> int:
    """Delete a clinic's files but for the wanted exports', and its folder when none is wanted; how many files went.

    The files are listed first: one that comes meanwhile is of an export that is asked for later, and stays.
    """
    found = list(folder(schema_name).iterdir())
    paths = [place(schema_name, each) for each in wanted()]  # not all of them are begun
    kept = {*paths, *map(_draft, paths)}
    gone = [path for path in found if path not in kept]
    for path in gone:
        path.unlink(missing_ok=True)
    if not paths:
        with suppress(OSError):
            folder(schema_name).rmdir()
    return len(gone)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, mode=0o600)


def _sync_folder(path: Path) -> None:
    """Without it a crash may forget the new name."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
