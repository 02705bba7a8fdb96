"""What a clinic's staff do to its patients while somebody pages through them."""

from random import Random

from bench.people import ACCOUNT
from sandbox.cliniko.seed.names import draw_name
from sandbox.cliniko.store import Store

EDITS, ARCHIVES, DELETIONS = 5, 2, 1  # after each page; and one new patient, and one merge


class Staff:
    """The same doings for the same seed, for as many pages as the list has, so that nobody is kept busier."""

    def __init__(self, store: Store, *, seed: int):
        self._store = store
        self._random = Random(f"staff {seed}")
        self._live = [record.id for record in store.all(ACCOUNT, "patients") if not record.archived_at]
        self._pages = 0

    def come(self) -> None:
        self._pages = len(self._live) // 100

    def leave(self) -> None:
        self._pages = 0

    def act(self) -> None:
        """Do what is done after one page."""
        if self._pages <= 0:
            return
        self._pages -= 1
        for id in self._random.sample(self._live, EDITS):
            self._store.edit(ACCOUNT, "patients", id, notes=f"Seen again, {self._random.randrange(10**6)}.")
        for _ in range(ARCHIVES):
            self._store.archive(ACCOUNT, self._take())
        for _ in range(DELETIONS):
            self._store.delete(ACCOUNT, self._take())
        self._store.merge(ACCOUNT, self._take(), self._random.choice(self._live))
        self._register()

    def _take(self) -> int:
        return self._live.pop(self._random.randrange(len(self._live)))

    def _register(self) -> None:
        first, last = draw_name(self._random, woman=self._random.random() < 0.5)
        self._live.append(int(self._store.add_patient(ACCOUNT, first_name=first, last_name=last)))
