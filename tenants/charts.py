"""Stacked bar charts as SVG: where each bar and block is drawn. Templates draw them, with the numbers in a table.

Units are those of the SVG's viewBox, which scales to the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

WIDTH, GAP = 360, 3


@dataclass(frozen=True)
class Block:
    """One kind's part of a bar."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """One bar: `label` for the table, `tick` to print below it, amounts by kind, and where `draw` puts it.

    `text` is the amount in words, "" if unknown.
    """

    label: str
    tick: str
    values: Mapping[str, int]
    text: str = ""
    x: int = 0
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Chart:
    """Bars from left to right. A bar of `most` reaches from `floor` up to `top`."""

    bars: tuple[Bar, ...]
    most: int
    top: int
    floor: int
    width: int = WIDTH

    @property
    def bar_width(self) -> int:
        return WIDTH // max(1, len(self.bars)) - GAP


def draw(bars: Sequence[Bar], *, most: int, top: int, height: int) -> Chart:
    """Return the chart, each bar's values stacked from the bottom up; `most` is the amount of a full bar."""
    drawn = []
    for place, bar in enumerate(bars):
        blocks, y = [], float(top + height)
        for kind, amount in bar.values.items():
            if amount:
                y -= amount * height / most
                blocks.append(Block(kind, round(y, 1), round(amount * height / most, 1)))
        drawn.append(replace(bar, x=place * WIDTH // len(bars) + GAP // 2, blocks=tuple(blocks)))
    return Chart(tuple(drawn), most, top, floor=top + height)
