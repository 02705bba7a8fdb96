"""Which processes are alive, and ending exactly those that were ours."""

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Identity:
    """A process by its id and its birth, so that an id which was given away again is never mistaken for it."""

    pid: int
    born: str

    def alive(self) -> bool:
        return identify(self.pid) == self


def identify(pid: int) -> Identity | None:
    """The living process with this id; None when it is gone or only waits to be reaped."""
    state, born = _state_and_birth(pid)
    return Identity(pid, born) if born and not state.startswith("Z") else None


def _state_and_birth(pid: int) -> tuple[str, str]:
    if not PROC.joinpath("self").exists():  # macOS
        shown = subprocess.run(["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True)
        state, _, born = shown.stdout.strip().partition(" ")
        return state, born
    try:
        # Reference: proc_pid_stat(5): the name may hold anything, so count from its closing bracket.
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "", ""
    return fields[0], fields[19]


def command_of(pid: int) -> str:
    """The command line of a living process; empty when it is gone."""
    if not PROC.joinpath("self").exists():  # macOS
        return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def end_group(leader: int, sign: int = signal.SIGTERM) -> None:
    """Send a signal to a process and to everything it started in its group; nothing when they are gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, sign)


def end(processes: list[Identity], patience: float = 10.0) -> None:
    """End the groups these processes lead: politely, and after `patience` seconds for good."""
    for process in processes:
        if process.alive():
            end_group(process.pid)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and any(process.alive() for process in processes):
        time.sleep(0.05)
    for process in processes:
        if process.alive():
            end_group(process.pid, signal.SIGKILL)
