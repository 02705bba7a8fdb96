"""Run every subject and collect its results or the reason why it failed."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from bench.paths import BenchError
from bench.subjects import Subject

Result = TypeVar("Result")
Log = Callable[[str], None]


class SubjectRuns(Generic[Result]):
    """Results per subject. A subject that fails isn't run again; `failed` has the reasons by title."""

    def __init__(self, subjects: Sequence[Subject], log: Log):
        self.subjects = subjects
        self.failed: dict[str, str] = {}
        self._results: dict[str, list[Result]] = {each.name: [] for each in subjects}
        self._log = log

    def each(self, label: str, work: Callable[[Subject], Result]) -> None:
        """Run every subject once."""
        for subject in self.subjects:
            if subject.title in self.failed:
                continue
            self._log(f"{label}: {subject.title}")
            try:
                self._results[subject.name].append(work(subject))
            except BenchError as error:
                self.failed[subject.title] = str(error)

    def measured(self) -> Iterator[tuple[Subject, list[Result]]]:
        """Yield the subjects that never failed, with their results."""
        for subject in self.subjects:
            if subject.title not in self.failed:
                yield subject, self._results[subject.name]
