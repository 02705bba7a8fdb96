"""Create and purge many clinics, and check that nothing of them is left in the database or on disk.

`MANY_CLINICS=50 make test JOBS=0 ARGS=tests/end_to_end/test_many_clinics.py` takes a minute and is part of .ci/run.
"""

import os
import sys
from pathlib import Path

import pytest

from sandbox.supervisor import Supervisor, child_environment
from tests.end_to_end.stack import new_database
from tests.services import ROOT

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("many")]
COUNT = os.environ.get("MANY_CLINICS", "4")


def test_purged_clinics_leave_nothing_behind(tmp_path: Path, worker_id: str) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    with new_database(f"sidechart_many_{worker_id}") as database:
        environment = child_environment(
            DATABASE_URL=database,
            DJANGO_SETTINGS_MODULE="saas.settings",
            EMAIL_URL=f"file:///{tmp_path / 'mail'}",
            EXPORT_DIRECTORY=str(exports),
        )
        supervisor = Supervisor(ROOT, environment, tmp_path)
        with supervisor.lock():
            supervisor.run(sys.executable, "manage.py", "migrate", "--verbosity", "0")
            supervisor.run(sys.executable, "-m", "tests.end_to_end.many_clinics", COUNT)
