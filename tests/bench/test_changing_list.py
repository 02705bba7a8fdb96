"""Counting wrong records, and simulated staff who make the same changes for every importer."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.fake_cliniko.patients import ACCOUNT
from bench.subjects import StoredPatient
from bench.sync.changing_list import count_wrong, current_patients
from bench.sync.simulated_staff import Staff
from sandbox.cliniko.store import Store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "cliniko.sqlite3")
    store.add_account(ACCOUNT, patients=240)
    yield store
    store.close()


def test_a_matching_copy_has_no_wrong_records() -> None:
    stored = {"1": StoredPatient(NOON, shown=True), "2": StoredPatient(NOON, shown=False)}
    assert count_wrong(stored, {"1": NOON}) == {"missing": 0, "stale": 0, "shown_but_removed": 0}


def test_missing_stale_and_removed_records_are_counted() -> None:
    stored = {
        "old": StoredPatient(NOON, shown=True),
        "gone": StoredPatient(NOON, shown=True),
        "hidden": StoredPatient(NOON, shown=False),
    }
    current = {"old": NOON + timedelta(seconds=1), "new": NOON, "hidden": NOON}
    assert count_wrong(stored, current) == {"missing": 2, "stale": 1, "shown_but_removed": 1}


def test_staff_edit_archive_delete_merge_and_add_patients(store: Store) -> None:
    before = current_patients(store)
    staff = Staff(store, seed=1)
    staff.start()
    staff.make_changes()
    after = current_patients(store)
    assert len(before.keys() - after.keys()) == 4  # two archived, one deleted, one merged
    assert len(after.keys() - before.keys()) == 1
    assert sum(after[id] > before[id] for id in before.keys() & after.keys()) >= 4


def test_staff_make_changes_once_per_page_of_the_list(store: Store) -> None:
    staff = Staff(store, seed=1)
    staff.start()
    for _ in range(2):
        staff.make_changes()
    before = current_patients(store)
    staff.make_changes()
    assert current_patients(store) == before


def test_staff_make_no_changes_before_start_and_after_stop(store: Store) -> None:
    before = current_patients(store)
    staff = Staff(store, seed=1)
    staff.make_changes()
    staff.start()
    staff.stop()
    staff.make_changes()
    assert current_patients(store) == before
