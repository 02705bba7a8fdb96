"""Paths of the embedded services' data and sockets. Imports only the standard library."""

import hashlib
import os
import tempfile
from pathlib import Path

# Reference: unix(7), sun_path has 108 bytes including the final NUL (104 on macOS).
MAX_SOCKET_PATH = 103


class ServiceError(Exception):
    """An embedded service failed. The message is one sentence for the terminal."""


def data_directory(root: Path, service: str) -> Path:
    """Return the directory of one service of the checkout at `root`."""
    return root.resolve() / ".local" / service


def socket_directory(root: Path, service: str, socket: str) -> Path:
    """Return the service's directory, or one below the system's temporary directory if the path is too long."""
    directory = data_directory(root, service)
    if len(os.fsencode(directory / socket)) <= MAX_SOCKET_PATH:
        return directory
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"sidechart-{os.geteuid()}-{name}"


def create_private(directory: Path, owner: int) -> None:
    """Create a directory with mode 700. Raises ServiceError if another user owns it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.is_symlink() or directory.stat().st_uid not in (owner, os.geteuid()):
        raise ServiceError(f"{directory} belongs to another user: remove it or run as that user.")
    os.chown(directory, owner, -1)
    directory.chmod(0o700)
