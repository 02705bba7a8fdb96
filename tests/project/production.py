"""A production environment, and commands that run in it."""

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

from saas.environment import Environment
from tests.services import ROOT

PRODUCTION = {
    "BASE_DOMAIN": "sidechart.example",
    "SECRET_KEY": "only-for-tests-V7cQ2mZr9tXw4LkD8sYb3nHf6pJg1eUa5oTi0RqW",
    "SEALING_KEYS": "only-for-tests-B4xN8vKc2mQz7wRt5yLp9sHd3fJg6aEu",
    "CLINIKO_CONTACT_EMAIL": "ops@sidechart.example",
    "DATABASE_URL": "postgresql://sidechart:password@db.internal:5432/sidechart",
    "CELERY_BROKER_URL": "redis://broker.internal:6379/0",
    "EMAIL_URL": "submission://user:password@mail.internal:587",
}


def production_environment(**changes: str) -> dict[str, str]:
    """Return a process environment with PRODUCTION and `changes`, and no other variable of ours."""
    # Empty counts as unset and still wins over a .env file.
    unset = dict.fromkeys((name.upper() for name in Environment.model_fields), "")
    return {**os.environ, **unset, "DJANGO_ALLOW_ASYNC_UNSAFE": "", **PRODUCTION, **changes}


def run_python(*words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these words in a production environment."""
    command = [sys.executable, *words]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=production_environment(**changes),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@cache
def production_settings() -> dict[str, Any]:
    """Return production's Django settings; values that JSON can't encode as their repr."""
    program = (
        "import json; from saas import settings;"
        "result = {name: value for name, value in vars(settings).items() if name.isupper()};"
        "print(json.dumps(result, default=repr))"
    )
    run = run_python("-c", program)
    assert run.returncode == 0, run.stderr
    settings: dict[str, Any] = json.loads(run.stdout)
    return settings
