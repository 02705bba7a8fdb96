"""The peers' virtual environments, made from their locked requirements on demand and kept."""

import subprocess
import sys
from functools import cache
from pathlib import Path

from bench.places import HOME, ROOT, BenchError

LOCKED = ROOT / "bench" / "requirements"


def program(name: str, program: str) -> str:
    """The path of a program in this virtual environment."""
    return str(_home(name) / "bin" / program)


@cache
def ensure(name: str) -> None:
    """Have the virtual environment with exactly what is locked. Raises BenchError when that cannot be installed."""
    locked, installed = LOCKED / f"{name}.txt", _home(name) / "installed.txt"
    if installed.exists() and installed.read_bytes() == locked.read_bytes():
        return
    _run(sys.executable, "-m", "venv", "--clear", str(_home(name)))
    _run(program(name, "python"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(locked))
    installed.write_bytes(locked.read_bytes())


def _home(name: str) -> Path:
    return HOME / "venvs" / name


def _run(*words: str) -> None:
    run = subprocess.run(words, capture_output=True, text=True)
    if run.returncode:
        lines = run.stderr.strip().splitlines()
        raise BenchError(f"{Path(words[-1]).stem} could not be installed: {lines[-1] if lines else 'without a word'}")
