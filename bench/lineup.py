"""All subjects of the bench by name."""

from bench.subjects import Script, Sidechart, Subject

FLOOR = Script("floor", "requests + json + COPY (the floor)", ("floor",))
SIDECHART = Sidechart()

IMPORTERS: tuple[Subject, ...] = (
    FLOOR,
    SIDECHART,
)
