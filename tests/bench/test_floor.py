"""What the bench compares with really stores everything, and is measured as a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bench.children import measure
from bench.lineup import FLOOR
from bench.places import BenchError
from bench.subjects import Place
from tests.end_to_end.stack import new_database


@pytest.fixture
def place(instant: str, tmp_path: Path, worker_id: str) -> Iterator[Place]:
    with new_database(f"bench_floor_{worker_id}") as database:
        yield Place(instant, database, tmp_path)


def test_the_floor_stores_every_patient_whole(place: Place, tmp_path: Path) -> None:
    measured = measure(FLOOR.commands(place), FLOOR.environment(place), tmp_path / "log")
    held = FLOOR.held(place)
    assert len(held) == 250
    assert any(not patient.shown for patient in held.values())
    assert measured.seconds > 0
    assert 10 < measured.megabytes < 200
    with psycopg.connect(place.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM patients WHERE payload ? 'custom_fields'").fetchone()
    assert row == (250,)


def test_a_subject_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    failing = [["sh", "-c", "echo the database is on fire; exit 3"]]
    with pytest.raises(BenchError, match="the database is on fire"):
        measure(failing, {}, tmp_path / "log")
