"""Gunicorn's settings. `gunicorn saas.wsgi` reads this file from the working directory; command-line options win.

A refused setting stops the start with one sentence and exit status 1. After a refused reload (SIGHUP) the old workers
keep serving.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

bind = "127.0.0.1:8000"
workers = 3
threads = 8
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - heartbeats must not wait for a disk
control_socket_disable = True

RESPAWN_SECONDS = 5


def refusal() -> str:
    """Return why the settings are refused, or "".

    Reads them in a new process: workers inherit the master's imports, so it must not import them, even for a reload.
    """
    command = [sys.executable, "-c", "import saas.settings"]
    try:
        loaded = subprocess.run(
            command, check=False, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=60
        )
    except subprocess.TimeoutExpired:
        return "The settings could not be read within 60 seconds."
    if loaded.returncode == 0:
        return ""
    return loaded.stderr.strip() or f"Reading the settings ended with status {loaded.returncode}."


def when_ready(server: Any) -> None:
    """Check the settings before each reload."""
    reload = server.reload

    def checked_reload() -> None:
        refused = refusal()
        if refused:
            server.log.error("Not reloaded: %s", refused)
        else:
            reload()

    server.reload = checked_reload


def post_fork(server: Any, worker: Any) -> None:
    """Delay the exit of a worker whose settings are refused, because the master respawns it at once."""
    try:
        import saas.settings  # noqa: F401 - exits if a setting is refused
    except SystemExit as refused:
        server.log.error("Worker not started: %s", refused)
        time.sleep(RESPAWN_SECONDS)
        sys.exit(1)


if refused := refusal():
    sys.exit(refused)
