"""Creating, suspending, renaming and purging a clinic are atomic, even if the process is killed with SIGKILL."""

import re
import sys
from pathlib import Path

import pytest

from sandbox.supervisor import Supervisor, child_environment
from tests.end_to_end.stack import new_database
from tests.services import ROOT

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("killed")]


def environment(database: str, state: Path) -> dict[str, str]:
    mail = f"file:///{state / 'mail'}"
    return child_environment(DATABASE_URL=database, DJANGO_SETTINGS_MODULE="saas.settings", EMAIL_URL=mail)


def test_a_killed_action_changes_everything_or_nothing(tmp_path: Path, worker_id: str) -> None:
    with new_database(f"sidechart_killed_{worker_id}") as database:
        supervisor = Supervisor(ROOT, environment(database, tmp_path), tmp_path)
        with supervisor.lock():
            supervisor.run(sys.executable, "manage.py", "migrate", "--verbosity", "0")
            supervisor.run(sys.executable, "-m", "tests.end_to_end.kill_points", "prepare")
            for action, least in (("create", 5), ("suspend", 3), ("rename", 3), ("purge", 9)):
                said = supervisor.run(sys.executable, "-m", "tests.end_to_end.kill_points", action)
                (kills,) = re.findall(r"killed at (\d+) statements", said)
                assert int(kills) >= least, f"{action} was killed at {kills} kills only"
