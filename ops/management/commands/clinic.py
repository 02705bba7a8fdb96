"""`manage.py clinic …`: onboard clinics and look after them."""

import getpass
import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from rich.console import Console
from rich.table import Table
from rich.text import Text

from accounts.roles import Role
from ops import clinics, doctor, restoring
from ops.foreground import sync_in_foreground
from ops.refusals import database_failure
from sync.cliniko import ApiKey
from sync.errors import ClinikoError
from tenants.context import NoSuchClinic
from tenants.labels import LabelRefused

LIGHTS = {doctor.Light.OK: "green", doctor.Light.WARN: "yellow", doctor.Light.FAIL: "bold red"}
REFUSALS = (clinics.Refused, LabelRefused, NoSuchClinic, ClinikoError)


class Command(BaseCommand):
    help = "Onboard clinics and look after them. Exit status: 0 done, 1 refused or failed, 2 wrong usage."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        create = _action(actions, "create", self.create, "Make a clinic and invite its owner.")
        create.add_argument("--name", required=True, help="The clinic's name, as staff read it.")
        create.add_argument("--owner", required=True, metavar="EMAIL", help="Who is invited as the owner.")
        _action(actions, "list", self.list, "Show every clinic.", label=False)
        _action(actions, "show", self.show, "Show one clinic: states, counts, cursors, last run.")
        _action(actions, "doctor", self.doctor, "Look at everything that a clinic needs, and say what is wrong.")
        set_key = _action(actions, "set-key", self.set_key, "Try a Cliniko API key and store it when it works.")
        set_key.add_argument("--key-stdin", action="store_true", help="Read the key from standard input, not a prompt.")
        set_key.add_argument(
            "--confirm-other-account", action="store_true", help="Take a key of another Cliniko account than before."
        )
        sync = _action(actions, "sync", self.sync, "Mirror the clinic in the foreground until it is up to date.")
        sync.add_argument(
            "--full",
            action="store_true",
            help="Compare every record with Cliniko and mend what differs, not only what changed.",
        )
        invite = _action(actions, "invite", self.invite, "Invite staff by e-mail.")
        invite.add_argument("--email", required=True, help="Who is invited.")
        invite.add_argument("--role", choices=[role.value for role in Role], default=Role.RECEPTION.value)

        restore = _action(actions, "restore", self.restore, "Bring one clinic back from a backup.")
        restore.add_argument("--from", required=True, type=Path, dest="backup", metavar="FILE", help="The backup.")
        restore.add_argument("--drop-former", action="store_true", help="Drop what the clinic had until now.")
        restore.add_argument(
            "--accept-broken-log", action="store_true", help="Also when its access log was rewritten before the backup."
        )
        _action(actions, "drop-former", self.drop_former, "Drop what a clinic had before it was restored.")

    def handle(self, *args: Any, **options: Any) -> None:
        action: Callable[[dict[str, Any]], None] = options["run"]
        try:
            with database_failure():
                action(options)
        except REFUSALS as refusal:
            self.stderr.write(str(refusal), self.style.ERROR)
            sys.exit(1)

    def create(self, options: dict[str, Any]) -> None:
        made = clinics.create(options["label"], name=options["name"], owner_email=options["owner"])
        self._answer(
            options,
            {name: value for name, value in vars(made).items() if name != "mailed"},
            f"{made.clinic} is there: {made.url}\n"
            f"Button in Cliniko: {made.launch_url}\n"
            f"The owner's invitation ({_mailed(made.mailed)}; secret): {made.invite_url}",
        )

    def list(self, options: dict[str, Any]) -> None:
        rows = clinics.listing()
        if options["json"] or not rows:
            self._answer(options, rows, "No clinic yet: `manage.py clinic create` makes one.")
            return
        table = Table("Clinic", "Name", "State", "Address", box=None)
        for row in rows:
            table.add_row(row["clinic"], row["name"], row["state"], row["url"])
        self._print(table)

    def show(self, options: dict[str, Any]) -> None:
        report = clinics.report(options["label"])
        if options["json"]:
            self._answer(options, report, "")
            return
        table = Table(show_header=False, box=None)
        for name, value in report.items():
            shown = json.dumps(value, cls=DjangoJSONEncoder, indent=1) if isinstance(value, dict) else str(value)
            table.add_row(name.replace("_", " "), shown)
        self._print(table)

    def doctor(self, options: dict[str, Any]) -> None:
        findings = doctor.examine(options["label"])
        if options["json"]:
            self._answer(options, {"clinic": options["label"], "findings": [vars(each) for each in findings]}, "")
        else:
            table = Table(show_header=False, box=None)
            for each in findings:
                table.add_row(Text(each.light, style=LIGHTS[each.light]), each.check, each.sentence)
            self._print(table)
        failed = [each.check for each in findings if each.light is doctor.Light.FAIL]
        if failed:
            raise clinics.Refused(f"Something is wrong at {options['label']}: {', '.join(failed)}.")

    def set_key(self, options: dict[str, Any]) -> None:
        typed = sys.stdin.readline() if options["key_stdin"] else getpass.getpass("Cliniko API key: ")
        connected = clinics.set_key(
            options["label"], ApiKey(typed.strip()), confirm_other_account=options["confirm_other_account"]
        )
        rights = " ".join(f"{name.capitalize()}: {'yes' if may else 'no'}." for name, may in connected.may_read.items())
        self._answer(
            options,
            vars(connected),
            f"Connected to {connected.account} ({connected.shard}) as {connected.user}, {connected.role}. {rights}",
        )

    def sync(self, options: dict[str, Any]) -> None:
        result = sync_in_foreground(options["label"], full=options["full"], quiet=options["json"])
        lines = [
            f"{name}: {counts['fetched']} fetched, {counts['written']} written, {counts['requests']} requests"
            for name, counts in result["resources"].items()
        ]
        mended = [f"{name}: {count} mended" for name, count in result["mended"].items() if count]
        self._answer(options, result, "\n".join([f"State: {result['state']}", *lines, *mended]))
        if result["put_off"]:
            named = (f"{name} (goes on at {at:%Y-%m-%d %H:%M} UTC)" for name, at in result["put_off"].items())
            raise clinics.Refused(f"Cliniko did not give everything to be compared: {', '.join(named)}.")

    def invite(self, options: dict[str, Any]) -> None:
        invite_url, mailed = clinics.invite(options["label"], email=options["email"], role=options["role"])
        answer = {"clinic": options["label"], "email": options["email"], "role": options["role"]}
        self._answer(
            options, answer | {"invite_url": invite_url}, f"Invitation ({_mailed(mailed)}; secret): {invite_url}"
        )

    def restore(self, options: dict[str, Any]) -> None:
        done = restoring.restore(
            options["label"],
            options["backup"],
            drop_former=options["drop_former"],
            accept_broken_log=options["accept_broken_log"],
        )
        self._answer(options, vars(done), done.in_words())

    def drop_former(self, options: dict[str, Any]) -> None:
        dropped = restoring.drop_formers(options["label"])
        words = f"Dropped: {', '.join(dropped)}." if dropped else "There was nothing to drop."
        self._answer(options, {"clinic": options["label"], "dropped": dropped}, words)

    def _print(self, table: Table) -> None:
        console = Console(markup=False, highlight=False)
        with console.capture() as printed:
            console.print(table)
        self.stdout.write(printed.get(), ending="")

    def _answer(self, options: dict[str, Any], data: object, words: str) -> None:
        self.stdout.write(json.dumps(data, cls=DjangoJSONEncoder) if options["json"] else words)


def _mailed(mailed: bool) -> str:
    return "sent by e-mail" if mailed else "the e-mail could NOT be sent, hand it over yourself"


def _action(
    actions: Any, name: str, run: Callable[[dict[str, Any]], None], text: str, *, label: bool = True
) -> ArgumentParser:
    parser: ArgumentParser = actions.add_parser(name, help=text, description=text)
    if label:
        parser.add_argument("label", metavar="LABEL", help="The clinic's subdomain, such as bondi.")
    parser.add_argument("--json", action="store_true", help="Answer in JSON.")
    parser.set_defaults(run=run)
    return parser
