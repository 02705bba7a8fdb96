"""`python -m bench PART`: measures a part of the product beside its peers and tells what came out."""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from bench import environments, report
from bench.children import command
from bench.export import whole
from bench.launch import pages, search
from bench.lineup import FOLLOWERS, IMPORTERS
from bench.places import HOME, PICTURE, BenchError
from bench.services import running_services
from bench.subjects import plain_environment
from bench.sync import fairness, imports, limit, moving, ticks
from bench.sync.attempts import Say
from bench.sync.options import QUICK, Options

WIDTH = 132  # of a table that goes into a file
SUBJECTS = sorted({each.name for each in (*IMPORTERS, *FOLLOWERS)})
Measurement = Callable[[Options, Say], dict[str, Any]]
PARTS: dict[str, dict[str, Measurement]] = {
    "sync": {
        "import": imports.run,
        "memory": imports.run_memory,
        "moving": moving.run,
        "idle": ticks.run_idle,
        "dispatch": ticks.run_dispatch,
        "fairness": fairness.run,
        "limit": limit.run,
    },
    "launch": {"page": pages.run, "search": search.run},
    "export": {"whole": whole.run},
}


class Parser(argparse.ArgumentParser):
    """Refuses with status 1 and one sentence."""

    def error(self, message: str) -> NoReturn:
        raise BenchError(f"{message[0].upper()}{message[1:]}; see --help.")


def main(words: Sequence[str] | None = None) -> int:
    console = Console(stderr=True, highlight=False)
    try:
        options = read_options(words)
        results = measure(options, lambda line: console.print(line, style="dim"))
    except BenchError as refused:
        console.print(str(refused), markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    report.show(results, Console(width=None if console.is_terminal else WIDTH))
    return 0


def measure(options: Options, say: Say) -> dict[str, Any]:
    """Run what is wanted and keep the results; what was not measured this time stays as it was."""
    kept = HOME / f"{options.part}{'' if options.comparable else '-part'}.json"
    measurements = PARTS[options.part]
    results: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    fresh = {}
    with running_services():
        for name in options.only or measurements:
            fresh[name] = measurements[name](options, say)
            kept.write_text(json.dumps(results | fresh, indent=1))
    if options.comparable and {"import", "moving"} <= results.keys() | fresh.keys():
        draw(kept)
    return fresh


def draw(results: Path) -> None:
    environments.ensure("plot")
    words = (environments.program("plot", "python"), "-m", "bench.picture", str(results), str(PICTURE))
    command(*words, environment=plain_environment())


def read_options(words: Sequence[str] | None = None) -> Options:
    """Raises BenchError for words that make no sense."""
    given = _parser().parse_args(words)
    options = QUICK if given.quick else Options()
    strangers = [name for name in given.only if name not in PARTS[given.part]]
    if strangers:
        raise BenchError(
            f"{strangers[0]} is not in {given.part}, which has {', '.join(PARTS[given.part])}; see --help."
        )
    numbers = {name: getattr(given, name) for name in ("runs", "patients") if getattr(given, name)}
    return replace(options, part=given.part, only=tuple(given.only), subjects=tuple(given.subject), **numbers)


def _parser() -> Parser:
    parser = Parser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("part", nargs="?", default="sync", choices=PARTS, help="What to measure.")
    parser.add_argument("--only", action="append", default=[], help=f"{_names()}; again for several.")
    parser.add_argument(
        "--subject", action="append", default=[], help="Only this one beside the floor; again for several."
    )
    parser.add_argument("--runs", type=_positive, help="Runs of each import; medians are told.")
    parser.add_argument("--patients", type=_positive, help="Patients in a full import.")
    parser.add_argument("--quick", action="store_true", help="A few hundred patients, one run: does it work at all?")
    return parser


def _names() -> str:
    return "; ".join(f"of {part}: {', '.join(measurements)}" for part, measurements in PARTS.items())


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)
