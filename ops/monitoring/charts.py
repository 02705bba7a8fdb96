"""Bar charts of the console's statistics: counts by day, durations by hour."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenants.charts import Bar, Chart, draw


@dataclass(frozen=True)
class StatsChart:
    """A chart with its texts: `heading` is for the table, `most` labels the top line, `summary` is one sentence."""

    title: str
    heading: str
    summary: str
    most: str
    chart: Chart


@dataclass(frozen=True)
class Value:
    """One bar's label for the table, tick to print below it ("" for none) and number, None if unknown."""

    label: str
    tick: str
    number: int | None


def duration(seconds: int) -> str:
    """Return `40 s`, `12 min`, `3 h` or `2 d`."""
    for size, unit in ((86400 * 2, "d"), (7200, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds // {'d': 86400, 'h': 3600, 'min': 60}[unit]} {unit}"
    return f"{seconds} s"


def of_counts(title: str, heading: str, values: Sequence[Value]) -> StatsChart:
    """Return a chart of counts, such as launches by day."""
    total = sum(each.number or 0 for each in values)
    most = max((each.number or 0 for each in values), default=0)
    summary = f"{total} in all, at most {most}."
    return _chart(title, heading, values, most=max(most, 4), as_text=str, summary=summary)


def of_durations(title: str, heading: str, values: Sequence[Value]) -> StatsChart:
    """Return a chart of seconds, such as the lag by hour."""
    known = [each.number for each in values if each.number is not None]
    summary = f"At most {duration(max(known))}." if known else "Nothing measured yet."
    return _chart(title, heading, values, most=max([60, *known]), as_text=duration, summary=summary)


def _chart(
    title: str, heading: str, values: Sequence[Value], *, most: int, as_text: Callable[[int], str], summary: str
) -> StatsChart:
    bars = [
        Bar(each.label, each.tick, {"all": each.number or 0}, "" if each.number is None else as_text(each.number))
        for each in values
    ]
    return StatsChart(title, heading, summary, as_text(most), draw(bars, most=most, top=16, height=80))
