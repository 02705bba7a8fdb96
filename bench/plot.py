"""Draw the results. `python -m bench.plot RESULTS.json PICTURE.png`, in the virtual environment "plot"."""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

mpl.use("Agg")

from matplotlib import pyplot as plt

OURS, PEERS = "#0f766e", "#94a3b8"
KINDS = {"missing": "#b91c1c", "stale": "#f59e0b", "shown_but_removed": "#64748b"}


def main(file: Path, picture: Path) -> None:
    results = json.loads(file.read_text())
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 8), layout="constrained")
    rates(above, results["import"])
    errors(below, results["changing"])
    figure.savefig(picture, dpi=110, metadata={"Software": None})


def rates(axes: Axes, result: dict[str, Any]) -> None:
    rows = sorted(result["rows"], key=lambda row: row["rows_per_second"])
    colours = [OURS if row["name"] == "sidechart" else PEERS for row in rows]
    values = [row["rows_per_second"] for row in rows]
    names = [f"{row['title']} *" if row["missing"] else row["title"] for row in rows]
    bars = axes.barh(names, values, color=colours)
    axes.bar_label(bars, labels=[f"{value:,.0f}" for value in values], padding=3)
    title = f"Rows per second: first import of {result['patients']:,} patients, median of {result['runs']} runs"
    footnote = "\n* stores patients under wrong ids" if any(row["missing"] for row in rows) else ""
    _plain(axes, title + footnote, max(values))


def errors(axes: Axes, result: dict[str, Any]) -> None:
    rows = sorted(result["rows"], key=_all_errors, reverse=True)
    left = [0.0] * len(rows)
    for kind, colour in KINDS.items():
        values = [_median(row, kind) for row in rows]
        axes.barh([row["title"] for row in rows], values, left=left, color=colour, label=kind.replace("_", " "))
        left = [one + other for one, other in zip(left, values, strict=True)]
    for position, (row, end) in enumerate(zip(rows, left, strict=True)):
        axes.text(end, position, f" {_all_errors(row):.0f}", va="center")
    title = f"Wrong records of {result['patients']:,} after a changing list and two quiet runs"
    axes.legend(loc="upper right", frameon=False)
    _plain(axes, f"{title}\nmedian of {len(result['seeds'])} seeds", max(left))


def _median(row: dict[str, Any], kind: str) -> float:
    return median(float(seed["after_quiet_runs"][kind]) for seed in row["seeds"])


def _all_errors(row: dict[str, Any]) -> float:
    return median(float(sum(seed["after_quiet_runs"].values())) for seed in row["seeds"])


def _plain(axes: Axes, title: str, longest: float) -> None:
    axes.set_title(title, loc="right", fontsize=11)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == "Sidechart" else "normal")
    axes.set_xlim(0, longest * 1.12 or 1)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
