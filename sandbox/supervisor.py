"""Start, watch and stop the demo's processes, including those that a killed demo left behind."""

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

from embedded.processes import ProcessId, identify, terminate


class DemoError(Exception):
    """The demo can't continue. The message is shown on the terminal."""


@dataclass(frozen=True)
class Child:
    """A process of the demo and its log file."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def exit_report(self) -> str:
        """Describe how it ended, with its last lines of output."""
        headline = f"{self.name} ended with status {self.process.returncode}; the end of {self.log}:"
        return f"{headline}\n{_last_lines(self.log.read_text(errors='replace'))}"


class Supervisor:
    """The processes of one demo, recorded in a file so that the next demo can end those of a killed one.

    They run in the checkout `root`. State and logs go below `state`, by default the checkout too.
    """

    def __init__(self, root: Path, environment: dict[str, str], state: Path | None = None):
        self._root = root
        self._environment = environment
        self._home = (state or root) / ".local" / "demo"
        self.logs = (state or root) / ".local" / "logs"
        self._children: list[Child] = []

    def lock(self) -> IO[str]:
        """Take the checkout's demo lock and end what a killed demo left. Raises DemoError if a demo is running."""
        for directory in (self._home, self.logs):
            directory.mkdir(parents=True, exist_ok=True)
        lock = (self._home / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise DemoError("A demo of this checkout is already running; stop it first (Ctrl-C).") from None
        terminate(self._recorded())
        return lock

    def start(self, name: str, *words: str) -> Child:
        """Start a background process in its own session, so that Ctrl-C reaches only the demo, which stops it."""
        log = self.logs / f"{name}.log"
        with log.open("w") as output:
            process = self._spawn(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        child = Child(name, process, log)
        self._children.append(child)
        self._record()
        return child

    def run(self, *words: str, stdin: str = "", show_progress: bool = False) -> str:
        """Run a command and return its output. Raises DemoError with its standard error if it fails.

        `show_progress` leaves standard error on the terminal, for progress bars.
        """
        process = self._spawn(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None if show_progress else subprocess.PIPE
        )
        child = Child(words[0], process, self.logs)
        self._children.append(child)
        self._record()
        output, errors = process.communicate(stdin)
        self._children.remove(child)
        if process.returncode:
            raise DemoError(_last_lines(errors or output or f"{' '.join(words)} failed."))
        return output

    def check(self) -> None:
        """Raise DemoError if a process has ended."""
        for child in self._children:
            if child.process.poll() is not None:
                raise DemoError(child.exit_report())

    def child(self, name: str) -> Child:
        """Return the process last started under this name."""
        return next(child for child in reversed(self._children) if child.name == name)

    def forget(self, child: Child) -> None:
        """Stop watching a process that has ended."""
        self._children.remove(child)
        self._record()

    def watch(self) -> None:
        """Watch forever. Raises DemoError as soon as a process ends."""
        while True:
            self.check()
            time.sleep(0.3)

    def stop(self) -> None:
        """Stop all processes, the last started first."""
        leaders = [child.process.pid for child in reversed(self._children)]
        terminate([identify(pid) or ProcessId(pid, started="") for pid in leaders])
        for child in self._children:
            child.process.wait()
        self._children.clear()
        self._record()

    def _spawn(self, words: tuple[str, ...], **streams: int | IO[str] | None) -> subprocess.Popen[str]:
        # typeshed has no overload for **streams.
        process: subprocess.Popen[str] = subprocess.Popen(  # type: ignore[call-overload]
            words, cwd=self._root, env=self._environment, text=True, start_new_session=True, **streams
        )
        return process

    @property
    def _record_file(self) -> Path:
        return self._home / "processes.json"

    def _record(self) -> None:
        known = [identify(child.process.pid) for child in self._children]
        draft = self._record_file.with_suffix(".new")
        draft.write_text(json.dumps([asdict(identity) for identity in known if identity]))
        draft.replace(self._record_file)

    def _recorded(self) -> list[ProcessId]:
        try:
            return [ProcessId(**known) for known in json.loads(self._record_file.read_text())]
        except (FileNotFoundError, ValueError, TypeError):
            return []


def is_running(root: Path) -> bool:
    """Return True while a demo of the checkout `root` holds its lock."""
    try:
        with (root / ".local" / "demo" / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-15:])


def check_port_free(port: int, option: str) -> None:
    """Raise DemoError if this port is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or a closed port counts as in use for a minute
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise DemoError(f"Port {port} {reason}; choose another one: make demo {option}={port + 1}") from None


def child_environment(**settings: str) -> dict[str, str]:
    """Return this process's environment with these settings, for a child process."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", **settings}
