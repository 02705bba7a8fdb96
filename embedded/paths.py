"""Where the embedded services keep their data and their sockets. Only the standard library, and starts nothing."""

import hashlib
import os
import tempfile
from pathlib import Path

# Reference: unix(7), sun_path holds 108 bytes with the closing zero (104 on macOS).
LONGEST_SOCKET_PATH = 103


class ServiceError(Exception):
    """An embedded service cannot do what was asked; the message is one sentence for whoever ran the command."""


def data_directory(root: Path, service: str) -> Path:
    """The directory that one service of the checkout at `root` owns."""
    return root.resolve() / ".local" / service


def socket_directory(root: Path, service: str, socket: str) -> Path:
    """The service's own directory, or a short one below the system's temporary directory where its path is too long."""
    usual = data_directory(root, service)
    if len(os.fsencode(usual / socket)) <= LONGEST_SOCKET_PATH:
        return usual
    name = hashlib.sha256(os.fsencode(usual)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"sidechart-{os.geteuid()}-{name}"


def claim(directory: Path, owner: int) -> None:
    """Make a directory for one user alone; refuse one that somebody else made."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.is_symlink() or directory.stat().st_uid not in (owner, os.geteuid()):
        raise ServiceError(f"{directory} belongs to another user: remove it, or run as that user.")
    os.chown(directory, owner, -1)
    directory.chmod(0o700)
