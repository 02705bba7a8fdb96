"""Find living processes, and terminate only our own."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessId:
    """A process id and its start time, so that a reused id isn't mistaken for the process."""

    pid: int
    started: str


def identify(pid: int) -> ProcessId | None:
    """Return the living process with this id, or None if it's gone or a zombie."""
    state, started = _state_and_start(pid)
    return ProcessId(pid, started) if started and not state.startswith("Z") else None


def _state_and_start(pid: int) -> tuple[str, str]:
    if not PROC.joinpath("self").exists():  # macOS
        output = subprocess.run(
            ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        state, _, started = output.stdout.strip().partition(" ")
        return state, started
    fields = _stat(pid)
    return (fields[0], fields[19]) if fields else ("", "")


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; empty if the process is gone."""
    try:
        # Reference: proc_pid_stat(5). The name in brackets may contain anything: split after its closing bracket.
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def command_line(pid: int) -> str:
    """Return the command line of a process, or an empty string if it's gone."""
    if not PROC.joinpath("self").exists():  # macOS
        return subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.strip()
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def terminate(leaders: list[ProcessId], patience: float = 15.0) -> None:
    """Send SIGTERM to these group leaders, and after `patience` seconds SIGKILL to what is left of their groups.

    SIGTERM goes only to the leaders: gunicorn and Celery then finish their work and stop their children.
    """
    pids = [leader.pid for leader in leaders if identify(leader.pid) in (leader, None)]
    for pid in pids:
        _signal(os.kill, pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and _groups_alive(pids):
        time.sleep(0.05)
    for pid in _groups_alive(pids):
        _signal(os.killpg, pid, signal.SIGKILL)


def _signal(send: Callable[[int, int], None], target: int, signal_number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        send(target, signal_number)


def _groups_alive(groups: Iterable[int]) -> set[int]:
    """Return the groups that have a living member; zombies don't count."""
    if PROC.joinpath("self").exists():
        stats = (_stat(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit())
        alive = {int(stat[2]) for stat in stats if stat and stat[0] != "Z"}
    else:  # macOS
        output = subprocess.run(["ps", "-axo", "pgid=,state="], capture_output=True, text=True, check=False).stdout
        rows = (line.split() for line in output.splitlines())
        alive = {int(group) for group, state in rows if not state.startswith("Z")}
    return alive.intersection(groups)
