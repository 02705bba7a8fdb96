"""The peers' virtual environments, created on demand from locked requirements."""

import subprocess
import sys
from functools import cache
from pathlib import Path

from bench.paths import HOME, ROOT, BenchError

REQUIREMENTS = ROOT / "bench" / "requirements"


def program(name: str, program: str) -> str:
    """Return the path of a program in a virtual environment."""
    return str(_home(name) / "bin" / program)


@cache
def ensure(name: str) -> None:
    """Create the virtual environment if missing or outdated. Raises BenchError if that fails."""
    locked, installed = REQUIREMENTS / f"{name}.txt", _home(name) / "installed.txt"
    if installed.exists() and installed.read_bytes() == locked.read_bytes():
        return
    _run(sys.executable, "-m", "venv", "--clear", str(_home(name)))
    _run(program(name, "python"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(locked))
    installed.write_bytes(locked.read_bytes())


def _home(name: str) -> Path:
    return HOME / "venvs" / name


def _run(*words: str) -> None:
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    if run.returncode:
        lines = run.stderr.strip().splitlines()
        raise BenchError(f"{Path(words[-1]).stem} could not be installed: {lines[-1] if lines else 'no output'}")
