"""Create and purge many clinics, and find nothing left of them: neither in the database nor beside it.

`MANY_CLINICS=50 make test JOBS=0 ARGS=tests/end_to_end/test_many_clinics.py` is a minute, and part of .ci/run.
"""

import os
import sys
from pathlib import Path

import pytest

from sandbox.supervisor import Supervisor, child_environment
from tests.end_to_end.stack import ROOT, new_database

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("many")]
HOW_MANY = os.environ.get("MANY_CLINICS", "4")


def test_of_clinics_that_came_and_went_nothing_is_left(tmp_path: Path, worker_id: str) -> None:
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
            supervisor.run(sys.executable, "-m", "tests.end_to_end.many_clinics", HOW_MANY)
