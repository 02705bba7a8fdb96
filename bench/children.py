"""Other processes: those that are measured, and commands whose success is all that matters."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.places import ROOT, BenchError

LAUNCHER = Path(__file__).with_name("launcher.py")
Commands = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Measured:
    """One run of a subject. `megabytes` adds up the processes of a pipeline, each at its peak."""

    seconds: float
    cpu_seconds: float
    megabytes: float


def measure(commands: Commands, environment: dict[str, str], log: Path) -> Measured:
    """Run a pipeline to its end. Raises BenchError with its last words when a part of it fails."""
    words = [sys.executable, "-I", "-S", str(LAUNCHER), str(log), json.dumps([list(each) for each in commands])]
    run = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    if run.returncode:
        raise BenchError(f"The launcher failed: {run.stderr.strip()[-300:]}")
    told = json.loads(run.stdout)
    if any(told["statuses"]):
        raise BenchError(f"It ended with status {told['statuses']}: {last_line(log)} (all of it in {log})")
    return Measured(told["seconds"], told["cpu_seconds"], sum(told["megabytes"]))


def command(*words: str, environment: dict[str, str], typed: str = "") -> str:
    """The output of a command. Raises BenchError with the last line that it complains with."""
    run = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, input=typed)
    if run.returncode:
        lines = (run.stderr or run.stdout).strip().splitlines()
        raise BenchError(f"{' '.join(words[1:4])} failed: {lines[-1] if lines else 'without a word'}")
    return run.stdout


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "without a word"
