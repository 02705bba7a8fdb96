"""Run workers, beat, and bench.sync.in_process in an environment."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.paths import HOME, ROOT
from bench.processes import run_command


def run_in_process(environment: dict[str, str], *words: str) -> dict[str, Any]:
    """Return the JSON output of bench.sync.in_process with these arguments."""
    output = run_command(sys.executable, "-m", "bench.sync.in_process", *words, environment=environment)
    result: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return result


@contextmanager
def celery(environment: dict[str, str], log_name: str, role: str, *options: str) -> Iterator[None]:
    """Run a Celery `worker` or `beat` during the block."""
    words = (sys.executable, "-m", "celery", "-A", "saas", role, "--loglevel=WARNING", *options)
    with (HOME / "logs" / f"{log_name}-{role}.log").open("wb") as log:
        process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)
