"""Options of the bench."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Options:
    """A part of the bench and its sizes; `only` and `subjects` select measurements and subjects, empty for all."""

    part: str = "sync"
    runs: int = 3
    patients: int = 20_000
    changing_patients: int = 5_000
    memory_patients: tuple[int, ...] = (2_000, 200_000)
    seeds: tuple[int, ...] = (1, 2, 3)
    clinics: int = 1_000
    importing: int = 200
    limited_patients: int = 9_000
    limited_seconds: int = 190
    launches: int = 300
    searched_patients: int = 50_000
    ticks: int = 60
    only: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()

    @property
    def comparable(self) -> bool:
        """Return True if results are for all subjects at full size."""
        return self == replace(Options(), part=self.part, only=self.only, runs=self.runs)

    def wants(self, subject: str) -> bool:
        return not self.subjects or subject in self.subjects


QUICK = Options(
    runs=1,
    patients=300,
    changing_patients=300,
    memory_patients=(200, 400),
    seeds=(1,),
    clinics=50,
    importing=4,
    ticks=3,
    limited_patients=300,
    limited_seconds=10,
    launches=10,
    searched_patients=500,
)
