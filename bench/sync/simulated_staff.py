"""Simulate staff who change patients while an importer pages through them."""

from random import Random

from bench.fake_cliniko.patients import ACCOUNT
from sandbox.cliniko.seed.names import draw_name
from sandbox.cliniko.store import Store

EDITS, ARCHIVES, DELETIONS = 5, 2, 1  # after each page, plus one new patient and one merge


class Staff:
    """The same changes for the same seed, and for as many pages as the list has, so that all importers see as many."""

    def __init__(self, store: Store, *, seed: int):
        self._store = store
        self._random = Random(f"staff {seed}")
        self._active = [record.id for record in store.all(ACCOUNT, "patients") if not record.archived_at]
        self._pages = 0

    def start(self) -> None:
        self._pages = len(self._active) // 100

    def stop(self) -> None:
        self._pages = 0

    def make_changes(self) -> None:
        """Make one page's changes, if started."""
        if self._pages <= 0:
            return
        self._pages -= 1
        for id in self._random.sample(self._active, EDITS):
            self._store.edit(ACCOUNT, "patients", id, notes=f"Edited, {self._random.randrange(10**6)}.")
        for _ in range(ARCHIVES):
            self._store.archive(ACCOUNT, self._remove())
        for _ in range(DELETIONS):
            self._store.delete(ACCOUNT, self._remove())
        self._store.merge(ACCOUNT, self._remove(), self._random.choice(self._active))
        self._register()

    def _remove(self) -> int:
        return self._active.pop(self._random.randrange(len(self._active)))

    def _register(self) -> None:
        first, last = draw_name(self._random, woman=self._random.random() < 0.5)
        self._active.append(int(self._store.add_patient(ACCOUNT, first_name=first, last_name=last)))
