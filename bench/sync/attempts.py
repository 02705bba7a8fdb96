"""What each subject achieved, and why one that failed is not measured."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from bench.places import BenchError
from bench.subjects import Subject

Result = TypeVar("Result")
Say = Callable[[str], None]


class Attempts(Generic[Result]):
    """A subject that fails once is not tried again; the others go on. `failed` holds the reasons by title."""

    def __init__(self, subjects: Sequence[Subject], say: Say):
        self.subjects = subjects
        self.failed: dict[str, str] = {}
        self._results: dict[str, list[Result]] = {each.name: [] for each in subjects}
        self._say = say

    def each(self, label: str, work: Callable[[Subject], Result]) -> None:
        """Have every subject do this work once."""
        for subject in self.subjects:
            if subject.title in self.failed:
                continue
            self._say(f"{label}: {subject.title}")
            try:
                self._results[subject.name].append(work(subject))
            except BenchError as refused:
                self.failed[subject.title] = str(refused)

    def measured(self) -> Iterator[tuple[Subject, list[Result]]]:
        """The subjects that never failed, with all their results."""
        for subject in self.subjects:
            if subject.title not in self.failed:
                yield subject, self._results[subject.name]
