"""Run other processes: measured pipelines and plain commands."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.paths import ROOT, BenchError

LAUNCHER = Path(__file__).with_name("launcher.py")
Commands = Sequence[Sequence[str]]


@dataclass(frozen=True)
class ProcessUsage:
    """Resources of one pipeline. `megabytes` is the sum of its processes' peaks."""

    seconds: float
    cpu_seconds: float
    megabytes: float


def measure(commands: Commands, environment: dict[str, str], log: Path) -> ProcessUsage:
    """Run a pipeline to its end. Raises BenchError with its last line of output if it fails."""
    words = [sys.executable, "-I", "-S", str(LAUNCHER), str(log), json.dumps([list(each) for each in commands])]
    run = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise BenchError(f"The launcher failed: {run.stderr.strip()[-300:]}")
    result = json.loads(run.stdout)
    if any(result["statuses"]):
        raise BenchError(f"The process ended with status {result['statuses']}: {last_line(log)} (full log: {log})")
    return ProcessUsage(result["seconds"], result["cpu_seconds"], sum(result["megabytes"]))


def run_command(*words: str, environment: dict[str, str], stdin: str = "") -> str:
    """Run a command and return its output. Raises BenchError with its last line if it fails."""
    run = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, input=stdin, check=False)
    if run.returncode:
        lines = (run.stderr or run.stdout).strip().splitlines()
        raise BenchError(f"{' '.join(words[1:4])} failed: {lines[-1] if lines else 'no output'}")
    return run.stdout


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "no output"
