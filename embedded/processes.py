"""Which processes are alive, and ending exactly those that were ours."""

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
    """A process by its id and its birth, so that an id which was given away again is never mistaken for it."""

    pid: int
    born: str


def identify(pid: int) -> ProcessId | None:
    """The living process with this id; None when it is gone or only waits to be reaped."""
    state, born = _state_and_birth(pid)
    return ProcessId(pid, born) if born and not state.startswith("Z") else None


def _state_and_birth(pid: int) -> tuple[str, str]:
    if not PROC.joinpath("self").exists():  # macOS
        shown = subprocess.run(["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True)
        state, _, born = shown.stdout.strip().partition(" ")
        return state, born
    fields = _stat(pid)
    return (fields[0], fields[19]) if fields else ("", "")


def _stat(pid: int) -> list[str]:
    """State, parent, group and so on of a process; empty when it is gone."""
    try:
        # Reference: proc_pid_stat(5). The name comes before them and may hold anything: count from its closing bracket.
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def command_line(pid: int) -> str:
    """The command line of a living process; empty when it is gone."""
    if not PROC.joinpath("self").exists():  # macOS
        return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def terminate(leaders: list[ProcessId], patience: float = 15.0) -> None:
    """End these processes and whatever is left in the groups they lead: politely, after `patience` seconds for good.

    A leader is asked alone: gunicorn and Celery then finish what they are doing and end their children themselves.
    """
    ours = [leader.pid for leader in leaders if identify(leader.pid) in (leader, None)]
    for pid in ours:
        _signal(os.kill, pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and _groups_alive(ours):
        time.sleep(0.05)
    for pid in _groups_alive(ours):
        _signal(os.killpg, pid, signal.SIGKILL)


def _signal(send: Callable[[int, int], None], target: int, sign: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        send(target, sign)


def _groups_alive(groups: Iterable[int]) -> set[int]:
    """Those of these groups that have a living member; one that only waits to be reaped does not count."""
    if PROC.joinpath("self").exists():
        stats = (_stat(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit())
        alive = {int(stat[2]) for stat in stats if stat and stat[0] != "Z"}
    else:  # macOS
        shown = subprocess.run(["ps", "-axo", "pgid=,state="], capture_output=True, text=True).stdout
        rows = (line.split() for line in shown.splitlines())
        alive = {int(group) for group, state in rows if not state.startswith("Z")}
    return alive.intersection(groups)
