"""Real workers and beat, and short looks from within, all over the database that an environment names."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.children import command
from bench.places import HOME, ROOT


def inside(environment: dict[str, str], *words: str) -> dict[str, Any]:
    """What bench.sync.inside answers to these words."""
    output = command(sys.executable, "-m", "bench.sync.inside", *words, environment=environment)
    told: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return told


@contextmanager
def celery(environment: dict[str, str], log_name: str, role: str, *options: str) -> Iterator[None]:
    """A `worker` or `beat` for as long as the block runs."""
    words = (sys.executable, "-m", "celery", "-A", "saas", role, "--loglevel=WARNING", *options)
    with (HOME / "logs" / f"{log_name}-{role}.log").open("wb") as log:
        process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)
