"""Print results as tables."""

from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.sync.changing_list import KINDS
from bench.targets import targets


def show(results: dict[str, Any], console: Console) -> None:
    for name, result in results.items():
        TABLES[name](result, console)
    table = _table("Targets", "", "now", "met")
    for target in targets(results):
        table.add_row(target.sentence, target.figure, "yes" if target.met else "NO")
    console.print(table)


def _imports(result: dict[str, Any], console: Console) -> None:
    title = f"Full import of {result['patients']:,} patients, medians of {result['runs']}"
    table = _table(title, "", "rows/s", "unchanged", "x baseline's time", "CPU s", "peak MB")
    for row in result["rows"]:
        table.add_row(
            row["title"],
            f"{row['rows_per_second']:,.0f}",
            f"{row['rows_per_second_again']:,.0f}",
            f"{row['times_the_baseline']:.1f}",
            f"{row['cpu_seconds']:.1f}",
            f"{row['megabytes']:,.0f}",
        )
    console.print(table)
    for row in result["rows"]:
        if row["patients"] < result["patients"]:
            console.print(f"{row['title']}: {row['patients']:,} patients only; ratios are extrapolated.")
        if row["missing"]:
            console.print(f"{row['title']}: {row['missing']:,} patients are missing under their ids afterwards.")
    _not_measured(result, console)


def _memory(result: dict[str, Any], console: Console) -> None:
    table = _table("Sidechart's memory", "patients", "peak MB", "rows/s")
    for row in result["rows"]:
        table.add_row(f"{row['patients']:,}", f"{row['megabytes']:,.0f}", f"{row['rows_per_second']:,.0f}")
    console.print(table)


def _changing(result: dict[str, Any], console: Console) -> None:
    title = f"Wrong of {result['patients']:,} patients after a changing list, medians of {len(result['seeds'])} seeds"
    table = _table(title, "", "after the import", "after two quiet runs", "missing", "stale", "shown but removed")
    for row in result["rows"]:
        kinds = (median_wrong(row, "after_quiet_runs", kind) for kind in KINDS)
        table.add_row(row["title"], median_wrong(row, "after_import"), median_wrong(row, "after_quiet_runs"), *kinds)
    console.print(table)
    _not_measured(result, console)


def median_wrong(row: dict[str, Any], stage: str, *kinds: str) -> str:
    """Return the median over the seeds of the errors of these kinds, or of all kinds."""
    return f"{median(sum(seed[stage][kind] for kind in kinds or KINDS) for seed in row['seeds']):.0f}"


def _idle(result: dict[str, Any], console: Console) -> None:
    table = _table("One clinic's tick", "", "ms", "ms without HTTP", "CPU ms")
    for name, title in (("idle", "no changes"), ("busy", "50 patients changed")):
        table.add_row(title, *(f"{result[name][kind]:,.1f}" for kind in ("wall", "own", "cpu")))
    console.print(table)
    requests = ", ".join(f"{resource} {count}" for resource, count in sorted(result["requests"].items()))
    console.print(f"Requests in {result['ticks']} idle ticks: {sum(result['requests'].values())} ({requests})")


def _dispatch(result: dict[str, Any], console: Console) -> None:
    seconds = median(result["seconds"])
    messages = f"{min(result['messages']):,} messages for {result['clinics']:,} due clinics"
    console.print(f"Dispatch: {messages} in {seconds:.3f} s, median of {len(result['seconds'])}")


def _fairness(result: dict[str, Any], console: Console) -> None:
    most = result["slices_of_another_while_one_waits"]
    console.print(
        f"Fairness: {result['clinics']} clinics imported concurrently in {result['slices']} slices and "
        f"{result['seconds']:.0f} s; while one waited, no other clinic had more than {most}"
    )


def _rate_limit(result: dict[str, Any], console: Console) -> None:
    share = "too short to measure" if result["share"] is None else f"{result['share']:.1%} of its allowance"
    console.print(
        f"Rate limit: {result['requests']} requests, {result['most_in_a_minute']} at most per minute, {share}; "
        f"{result['refused']} refused"
    )


def _page(result: dict[str, Any], console: Console) -> None:
    table = _table(f"A launch, medians of {result['launches']}", "", "ms", "95th percentile", "x baseline's time")
    for row in result["rows"]:
        numbers = (f"{row['milliseconds']:.1f}", f"{row['p95']:.1f}", f"{row['times_the_baseline']:.2f}")
        table.add_row(row["title"], *numbers)
    console.print(table)


def _search(result: dict[str, Any], console: Console) -> None:
    table = _table(f"A search among {result['patients']:,} patients", "text", "ms", "95th percentile", "found")
    for what, each in result["typed"].items():
        table.add_row(what, f"{each['median']:.1f}", f"{each['p95']:.1f}", str(each["found"]))
    console.print(table)


def _full(result: dict[str, Any], console: Console) -> None:
    rows = f"{result['patients']:,} patients, {result['appointments']:,} appointments"
    console.print(
        f"Export of {rows}: {result['seconds']:.1f} s ({result['cpu_seconds']:.1f} CPU), "
        f"{result['times_the_baseline']:.2f} times COPY to gzip ({result['baseline_seconds']:.1f} s); peak memory "
        f"{result['megabytes']:.0f} MB, {result['megabytes_of_a_tenth']:.0f} for a tenth of the clinic; ZIP: "
        f"{result['file_megabytes']:.1f} MB"
    )


def _not_measured(result: dict[str, Any], console: Console) -> None:
    for title, reason in result["not_measured"].items():
        console.print(f"Not measured: {title}. {reason}", markup=False)


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", box=None)
    table.add_column(first, no_wrap=True)
    for other in others:
        table.add_column(other, justify="right")
    return table


TABLES = {
    "import": _imports,
    "memory": _memory,
    "changing": _changing,
    "idle": _idle,
    "dispatch": _dispatch,
    "fairness": _fairness,
    "limit": _rate_limit,
    "page": _page,
    "search": _search,
    "full": _full,
}
