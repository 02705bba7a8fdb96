"""What counts as wrong, and staff who keep every importer equally busy."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.people import ACCOUNT
from bench.subjects import Held
from bench.sync.moving import truth, wrong
from bench.sync.staff import Staff
from sandbox.cliniko.store import Store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "cliniko.sqlite3")
    made.add_account(ACCOUNT, patients=240)
    yield made
    made.close()


def test_a_mirror_that_agrees_is_not_wrong() -> None:
    held = {"1": Held(NOON, shown=True), "2": Held(NOON, shown=False)}
    assert wrong(held, {"1": NOON}) == {"missing": 0, "stale": 0, "shown_though_gone": 0}


def test_each_kind_of_wrong_is_counted_by_itself() -> None:
    held = {"old": Held(NOON, shown=True), "gone": Held(NOON, shown=True), "hidden": Held(NOON, shown=False)}
    live = {"old": NOON + timedelta(seconds=1), "new": NOON, "hidden": NOON}
    assert wrong(held, live) == {"missing": 2, "stale": 1, "shown_though_gone": 1}


def test_staff_edit_archive_delete_merge_and_register_after_each_page(store: Store) -> None:
    before = truth(store)
    staff = Staff(store, seed=1)
    staff.come()
    staff.act()
    after = truth(store)
    assert len(before.keys() - after.keys()) == 4  # two archived, one deleted, one merged
    assert len(after.keys() - before.keys()) == 1
    assert sum(after[id] > before[id] for id in before.keys() & after.keys()) >= 4


def test_staff_act_no_more_often_than_the_list_has_pages(store: Store) -> None:
    staff = Staff(store, seed=1)
    staff.come()
    for _ in range(2):
        staff.act()
    settled = truth(store)
    staff.act()
    assert truth(store) == settled


def test_staff_who_have_left_do_nothing(store: Store) -> None:
    before = truth(store)
    staff = Staff(store, seed=1)
    staff.act()
    staff.come()
    staff.leave()
    staff.act()
    assert truth(store) == before
