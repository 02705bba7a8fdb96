"""The baseline stores everything, and a failing subject is reported."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bench.paths import BenchError
from bench.processes import measure
from bench.subject_list import BASELINE
from bench.subjects import Workspace
from tests.end_to_end.stack import new_database


@pytest.fixture
def workspace(api_url: str, tmp_path: Path, worker_id: str) -> Iterator[Workspace]:
    with new_database(f"bench_baseline_{worker_id}") as database:
        yield Workspace(api_url, database, tmp_path)


def test_the_baseline_stores_every_patient_completely(workspace: Workspace, tmp_path: Path) -> None:
    usage = measure(BASELINE.commands(workspace), BASELINE.environment(workspace), tmp_path / "log")
    stored = BASELINE.stored_patients(workspace)
    assert len(stored) == 250
    assert any(not patient.shown for patient in stored.values())
    assert usage.seconds > 0
    assert 10 < usage.megabytes < 200
    with psycopg.connect(workspace.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM patients WHERE payload ? 'custom_fields'").fetchone()
    assert row == (250,)


def test_a_failing_subject_is_reported_with_its_last_line(tmp_path: Path) -> None:
    command = [["sh", "-c", "echo the database is on fire; exit 3"]]
    with pytest.raises(BenchError, match="the database is on fire"):
        measure(command, {}, tmp_path / "log")
