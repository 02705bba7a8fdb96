"""What the actions of `manage.py clinic` share: their words, their answers in JSON or in plain text."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from rich.console import Console
from rich.table import Table

Run = Callable[[dict[str, Any]], None]


class AnsweringCommand(BaseCommand):
    """A command with actions, each of which prints one answer."""

    def show_table(self, table: Table) -> None:
        # What goes into a file or to another program is cut nowhere.
        console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 250)
        with console.capture() as printed:
            console.print(table)
        self.stdout.write(printed.get(), ending="")

    def answer_change(self, options: dict[str, Any], data: object, words: str) -> None:
        """The answer of an action that can be tried before: what was only tried says so."""
        self.answer(options, data, f"Only tried: {words}" if options["dry_run"] else words)

    def answer(self, options: dict[str, Any], data: object, words: str) -> None:
        self.stdout.write(json.dumps(data, cls=DjangoJSONEncoder) if options["json"] else words)


def add_action(actions: Any, name: str, run: Run, text: str, *, label: bool = True) -> ArgumentParser:
    parser: ArgumentParser = actions.add_parser(name, help=text, description=text)
    if label:
        parser.add_argument("label", metavar="LABEL", help="The clinic's subdomain, such as bondi.")
    parser.add_argument("--json", action="store_true", help="Answer in JSON.")
    parser.set_defaults(run=run)
    return parser


def add_clinic_action(actions: Any, name: str, run: Run, text: str, *, label: bool = True) -> ArgumentParser:
    """An action of `clinic`: all of them can be tried before."""
    parser = add_action(actions, name, run, text, label=label)
    parser.add_argument("--dry-run", action="store_true", help="Check and say what would be done, and change nothing.")
    return parser


def lines(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and value; a table inside the report gets a line for each of its entries."""
    for name, value in report.items():
        if isinstance(value, dict) and value:
            yield from ((f"{_spaced(name)}: {_spaced(inner)}", in_words(held)) for inner, held in value.items())
        else:
            yield _spaced(name), in_words(value)


def in_words(value: object) -> str:
    """`-` for nothing, times to the minute, the entries of a table in one line."""
    if isinstance(value, dict):
        return ", ".join(_entry(*each) for each in value.items() if each[1] not in (None, "", {})) or "-"
    if isinstance(value, list):
        return ", ".join(map(in_words, value)) or "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else str(value)


def _entry(name: str, value: object) -> str:
    return f"{_spaced(name)} ({in_words(value)})" if isinstance(value, dict) else f"{_spaced(name)} {in_words(value)}"


def _spaced(name: str) -> str:
    return name.replace("_", " ")
