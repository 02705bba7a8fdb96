"""Shared by the commands with actions: arguments, and output as JSON or text."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from rich.console import Console
from rich.table import Table

from ops.errors import Refused, translate_database_errors
from tenants.dates import in_zone

Options = dict[str, Any]
Handler = Callable[[Options], None]


class ActionCommand(BaseCommand):
    """A command with actions. A refusal is one sentence on standard error and exit status 1."""

    requires_system_checks: list[str] = []
    refusals: tuple[type[Exception], ...] = (Refused,)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with translate_database_errors():
                options["run"](options)
        except self.refusals as refusal:
            self.stderr.write(str(refusal), self.style.ERROR)
            sys.exit(1)

    def write(self, options: Options, data: object, text: str) -> None:
        """Print the data as JSON, or the text, marked if it's a dry run."""
        if options["json"]:
            self.stdout.write(json.dumps(data, cls=DjangoJSONEncoder))
        else:
            self.stdout.write(f"Dry run: {text}" if options.get("dry_run") else text)

    def write_table(self, table: Table) -> None:
        # In a file or pipe, nothing is cut to the width of a terminal.
        console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 250)
        with console.capture() as printed:
            console.print(table)
        self.stdout.write(printed.get(), ending="")


def add_action(actions: Any, name: str, run: Handler, help: str) -> ArgumentParser:
    parser: ArgumentParser = actions.add_parser(name, help=help, description=help)
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    parser.set_defaults(run=run)
    return parser


def add_clinic_action(actions: Any, name: str, run: Handler, help: str, *, label: bool = True) -> ArgumentParser:
    parser = add_action(actions, name, run, help)
    if label:
        parser.add_argument("label", metavar="LABEL", help="The clinic's subdomain, such as bondi.")
    parser.add_argument("--dry-run", action="store_true", help="Check and print what would be done, without doing it.")
    return parser


def emailed(sent: bool) -> str:
    """Describe whether an invitation was emailed."""
    return "emailed" if sent else "the email could NOT be sent, pass this on yourself"


def flatten(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield names and values as text; a nested dictionary gets one line per entry."""
    for name, value in report.items():
        if isinstance(value, dict) and value:
            yield from ((f"{_spaced(name)}: {_spaced(inner)}", format_value(entry)) for inner, entry in value.items())
        else:
            yield _spaced(name), format_value(value)


def format_value(value: object) -> str:
    """Return the value as text on one line; `-` if there is none."""
    if isinstance(value, dict):
        return ", ".join(_format_entry(*each) for each in value.items() if each[1] not in (None, "", {})) or "-"
    if isinstance(value, list):
        return ", ".join(map(format_value, value)) or "-"
    if isinstance(value, datetime):
        return in_zone(value, UTC)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else str(value)


def _format_entry(name: str, value: object) -> str:
    text = format_value(value)
    return f"{_spaced(name)} ({text})" if isinstance(value, dict) else f"{_spaced(name)} {text}"


def _spaced(name: str) -> str:
    return name.replace("_", " ")
