"""Starts the demo's processes, watches over them, and ends them all, also those of a demo that was killed."""

import errno
import fcntl
import json
import os
import socket
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from embedded.processes import Identity, end, identify


class DemoError(Exception):
    """The demo cannot go on; the message is for whoever started it."""


@dataclass(frozen=True)
class Child:
    """A process of the demo and where it writes."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def obituary(self) -> str:
        """That it ended, and its last lines."""
        told = f"{self.name} ended with status {self.process.returncode}; the end of {self.log}:"
        return f"{told}\n{_last_lines(self.log.read_text(errors='replace'))}"


class Supervisor:
    """The processes of one demo. What it starts it writes down first thing, so that the next demo finds it.

    They run in the checkout `root`; notes and logs go below `state`, which is the checkout too unless said otherwise.
    """

    def __init__(self, root: Path, environment: dict[str, str], state: Path | None = None):
        self._root = root
        self._environment = environment
        self._home = (state or root) / ".local" / "demo"
        self.logs = (state or root) / ".local" / "logs"
        self._children: list[Child] = []

    def only_one(self) -> IO[str]:
        """Hold the checkout's demo lock, and end what a killed demo left running. Raises DemoError when one is up."""
        for directory in (self._home, self.logs):
            directory.mkdir(parents=True, exist_ok=True)
        lock = (self._home / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise DemoError("A demo of this checkout is up already; end that one first (Ctrl-C).") from None
        end(self._remembered())
        return lock

    def start(self, name: str, *words: str) -> Child:
        """Start a process in the background, in a session of its own: Ctrl-C reaches us alone and we end it in turn."""
        log = self.logs / f"{name}.log"
        with log.open("w") as output:
            process = self._spawn(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        child = Child(name, process, log)
        self._children.append(child)
        self._remember()
        return child

    def run(self, *words: str, typed: str = "", shown: bool = False) -> str:
        """Run a command to its end and answer its output. Raises DemoError with what it says on standard error.

        `shown` leaves standard error to the terminal, for progress bars.
        """
        process = self._spawn(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None if shown else subprocess.PIPE
        )
        child = Child(words[0], process, self.logs)
        self._children.append(child)
        self._remember()
        output, complaint = process.communicate(typed)
        self._children.remove(child)
        if process.returncode:
            raise DemoError(_last_lines(complaint or output or f"{' '.join(words)} failed."))
        return output

    def check(self) -> None:
        """Raise DemoError when a process has ended that should be up."""
        for child in self._children:
            if child.process.poll() is not None:
                raise DemoError(child.obituary())

    def child(self, name: str) -> Child:
        """The process started under this name last."""
        return next(child for child in reversed(self._children) if child.name == name)

    def forget(self, child: Child) -> None:
        """Leave a process that has ended out from now on."""
        self._children.remove(child)
        self._remember()

    def watch(self) -> None:
        """Return never; raises DemoError as soon as a process ends."""
        while True:
            self.check()
            time.sleep(0.3)

    def stop(self) -> None:
        """End everything, the last started first."""
        leaders = [child.process.pid for child in reversed(self._children)]
        end([identify(pid) or Identity(pid, born="") for pid in leaders])
        for child in self._children:
            child.process.wait()
        self._children.clear()
        self._remember()

    def _spawn(self, words: tuple[str, ...], **streams: int | IO[str] | None) -> subprocess.Popen[str]:
        return subprocess.Popen(  # type: ignore[call-overload]
            words, cwd=self._root, env=self._environment, text=True, start_new_session=True, **streams
        )

    @property
    def _memory(self) -> Path:
        return self._home / "processes.json"

    def _remember(self) -> None:
        known = [identify(child.process.pid) for child in self._children]
        draft = self._memory.with_suffix(".new")
        draft.write_text(json.dumps([asdict(identity) for identity in known if identity]))
        draft.replace(self._memory)

    def _remembered(self) -> list[Identity]:
        try:
            return [Identity(**known) for known in json.loads(self._memory.read_text())]
        except (FileNotFoundError, ValueError, TypeError):
            return []


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-15:])


def require_free(port: int, option: str) -> None:
    """Raise DemoError when somebody has this port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or a port counts as taken for a minute after use
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as refused:
            reason = "is taken" if refused.errno == errno.EADDRINUSE else f"cannot be used ({refused.strerror})"
            raise DemoError(f"Port {port} {reason}; choose another: make demo {option}={port + 1}") from None


def plain_environment(**settings: str) -> dict[str, str]:
    """Ours with these settings, and without what make and a virtual environment would tell the children."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", **settings}
