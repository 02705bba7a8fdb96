"""Bars drawn by the server: no script, and the numbers beside them in words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, GAP, TOP, HEIGHT = 360, 3, 16, 80  # of the drawing, which scales


@dataclass(frozen=True)
class Bar:
    """`told` is the value as people say it; None where nothing is known."""

    label: str
    tick: str
    told: str | None
    x: int
    y: float
    height: float


@dataclass(frozen=True)
class Chart:
    """Bars in the order of time. `most` is what the tallest could be, as people say it; `summary` says all at once."""

    title: str
    heading: str
    bars: tuple[Bar, ...]
    most: str
    summary: str
    top: int = TOP
    floor: int = TOP + HEIGHT
    width: int = WIDTH

    @property
    def bar(self) -> int:
        return WIDTH // max(1, len(self.bars)) - GAP


@dataclass(frozen=True)
class Value:
    """What a bar stands for: its full label, the short one below it ("" for none) and the number, None for unknown."""

    label: str
    tick: str
    number: int | None


def duration(seconds: int) -> str:
    """`40 s`, `12 min`, `3 h`, `2 d`."""
    for size, unit in ((86400 * 2, "d"), (7200, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds // {'d': 86400, 'h': 3600, 'min': 60}[unit]} {unit}"
    return f"{seconds} s"


def of_counts(title: str, heading: str, values: Sequence[Value]) -> Chart:
    """Bars of counts, such as launches by day."""
    total = sum(each.number or 0 for each in values)
    most = max((each.number or 0 for each in values), default=0)
    summary = f"{total} in all, at most {most}."
    return _drawn(title, heading, values, most=max(most, 4), told=str, summary=summary)


def of_durations(title: str, heading: str, values: Sequence[Value]) -> Chart:
    """Bars of seconds, such as the lag by hour."""
    known = [each.number for each in values if each.number is not None]
    summary = f"At most {duration(max(known))}." if known else "Nothing was measured yet."
    return _drawn(title, heading, values, most=max([60, *known]), told=duration, summary=summary)


def _drawn(
    title: str, heading: str, values: Sequence[Value], *, most: int, told: Callable[[int], str], summary: str
) -> Chart:
    bars = []
    for place, each in enumerate(values):
        height = round((each.number or 0) * HEIGHT / most, 1)
        words = None if each.number is None else told(each.number)
        bars.append(
            Bar(
                each.label,
                each.tick,
                words,
                place * WIDTH // len(values) + GAP // 2,
                round(TOP + HEIGHT - height, 1),
                height,
            )
        )
    return Chart(title, heading, tuple(bars), told(most), summary)
