"""Measure a part of the product beside its peers and print the results."""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from bench import report, virtualenvs
from bench.export import full_export
from bench.launch import pages, search
from bench.paths import HOME, PICTURE, BenchError
from bench.processes import run_command
from bench.services import running_services
from bench.subject_list import FOLLOWERS, IMPORTERS
from bench.subjects import subject_environment
from bench.sync import changing_list, fairness, imports, rate_limit, ticks
from bench.sync.options import QUICK, Options
from bench.sync.subject_runs import Log

WIDTH = 132  # of tables in a file
SUBJECTS = sorted({each.name for each in (*IMPORTERS, *FOLLOWERS)})
Measurement = Callable[[Options, Log], dict[str, Any]]
PARTS: dict[str, dict[str, Measurement]] = {
    "sync": {
        "import": imports.run,
        "memory": imports.run_memory,
        "changing": changing_list.run,
        "idle": ticks.run_idle,
        "dispatch": ticks.run_dispatch,
        "fairness": fairness.run,
        "limit": rate_limit.run,
    },
    "launch": {"page": pages.run, "search": search.run},
    "export": {"full": full_export.run},
}


class Parser(argparse.ArgumentParser):
    """Report bad arguments in one sentence, with status 1."""

    def error(self, message: str) -> NoReturn:
        raise BenchError(f"{message[0].upper()}{message[1:]}; see --help.")


def main(words: Sequence[str] | None = None) -> int:
    console = Console(stderr=True, highlight=False)
    try:
        options = read_options(words)
        results = measure(options, lambda line: console.print(line, style="dim"))
    except BenchError as error:
        console.print(str(error), markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    report.show(results, Console(width=None if console.is_terminal else WIDTH))
    return 0


def measure(options: Options, log: Log) -> dict[str, Any]:
    """Run the chosen measurements and save the results; keep earlier results of the others."""
    file = HOME / f"{options.part}{'' if options.comparable else '-part'}.json"
    measurements = PARTS[options.part]
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    new_results = {}
    with running_services():
        for name in options.only or measurements:
            new_results[name] = measurements[name](options, log)
            file.write_text(json.dumps(results | new_results, indent=1))
    if options.comparable and {"import", "changing"} <= results.keys() | new_results.keys():
        draw_plot(file)
    return new_results


def draw_plot(results: Path) -> None:
    virtualenvs.ensure("plot")
    words = (virtualenvs.program("plot", "python"), "-m", "bench.plot", str(results), str(PICTURE))
    run_command(*words, environment=subject_environment())


def read_options(words: Sequence[str] | None = None) -> Options:
    """Parse the command line. Raises BenchError for bad arguments."""
    arguments = _parser().parse_args(words)
    options = QUICK if arguments.quick else Options()
    unknown = [name for name in arguments.only if name not in PARTS[arguments.part]]
    if unknown:
        raise BenchError(
            f"{unknown[0]} is not in {arguments.part}, which has {', '.join(PARTS[arguments.part])}; see --help."
        )
    numbers = {name: getattr(arguments, name) for name in ("runs", "patients") if getattr(arguments, name)}
    return replace(
        options, part=arguments.part, only=tuple(arguments.only), subjects=tuple(arguments.subject), **numbers
    )


def _parser() -> Parser:
    parser = Parser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("part", nargs="?", default="sync", choices=PARTS, help="what to measure")
    parser.add_argument("--only", action="append", default=[], help=f"{_names()}; can be repeated")
    parser.add_argument(
        "--subject", action="append", default=[], help="only this subject, and the baseline; can be repeated"
    )
    parser.add_argument("--runs", type=_positive, help="runs of each import; results are medians")
    parser.add_argument("--patients", type=_positive, help="patients in a full import")
    parser.add_argument("--quick", action="store_true", help="a smoke test: one run with a few hundred patients")
    return parser


def _names() -> str:
    return "; ".join(f"{part}: {', '.join(measurements)}" for part, measurements in PARTS.items())


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)
