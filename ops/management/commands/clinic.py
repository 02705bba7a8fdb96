"""`manage.py clinic …`: onboard clinics and look after them."""

import getpass
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from accounts.roles import Role
from audit.log import AuditUnavailable
from ops import clinic_staff, doctor, onboarding
from ops.errors import Refused, database_failure
from ops.export_command import export
from ops.management.life_actions import LifeActions
from ops.management.output import add_clinic_action, in_words, lines
from ops.management.recovery_actions import RecoveryActions
from ops.sync_command import foresee, sync_in_foreground
from sync.cliniko.client import ApiKey
from sync.cliniko.errors import ClinikoError
from tenants.context import NoSuchClinic
from tenants.labels import LabelRefused

LIGHTS = {doctor.Light.OK: "green", doctor.Light.WARN: "yellow", doctor.Light.FAIL: "bold red"}
REFUSALS = (Refused, LabelRefused, NoSuchClinic, AuditUnavailable, ClinikoError)


class Command(LifeActions, RecoveryActions):
    help = "Onboard clinics and look after them. Exit status: 0 done, 1 refused or failed, 2 wrong usage."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        create = add_clinic_action(actions, "create", self.create, "Make a clinic and invite its owner.")
        create.add_argument("--name", required=True, help="The clinic's name, as staff read it.")
        create.add_argument("--owner", required=True, metavar="EMAIL", help="Who is invited as the owner.")
        add_clinic_action(actions, "list", self.list, "Show every clinic.", label=False)
        add_clinic_action(actions, "show", self.show, "Show one clinic: states, counts, cursors, last run.")
        add_clinic_action(
            actions, "doctor", self.doctor, "Look at everything that a clinic needs, and say what is wrong."
        )
        set_key = add_clinic_action(
            actions, "set-key", self.set_key, "Try a Cliniko API key and store it when it works."
        )
        set_key.add_argument("--key-stdin", action="store_true", help="Read the key from standard input, not a prompt.")
        set_key.add_argument(
            "--confirm-other-account", action="store_true", help="Take a key of another Cliniko account than before."
        )
        sync = add_clinic_action(
            actions, "sync", self.sync, "Mirror the clinic in the foreground until it is up to date."
        )
        sync.add_argument(
            "--full",
            action="store_true",
            help="Compare every record with Cliniko and mend what differs, not only what changed.",
        )
        self.add_life_actions(actions)
        self.add_recovery_actions(actions)
        export = add_clinic_action(actions, "export", self.export, "Write all that is held of a clinic into a ZIP.")
        export.add_argument("--to", required=True, metavar="FILE|FOLDER", type=Path, help="Where: nothing is replaced.")
        self._add_staff_actions(actions)

    def _add_staff_actions(self, actions: Any) -> None:
        invite = add_clinic_action(actions, "invite", self.invite, "Invite staff by e-mail.")
        invite.add_argument("--email", required=True, help="Who is invited.")
        invite.add_argument("--role", choices=[role.value for role in Role], default=Role.RECEPTION.value)
        invite.add_argument(
            "--take-back", action="store_true", help="End the invitation that was sent to this address instead."
        )
        reset = add_clinic_action(
            actions,
            "reset-second-factor",
            self.reset_second_factor,
            "Let somebody who lost phone and recovery codes sign in by password. Make sure first that it is them.",
        )
        reset.add_argument("--email", required=True, help="Whose second factors are removed.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with database_failure():
                options["run"](options)
        except REFUSALS as refusal:
            self.stderr.write(str(refusal), self.style.ERROR)
            sys.exit(1)

    def create(self, options: dict[str, Any]) -> None:
        label, dry_run = options["label"], options["dry_run"]
        try:
            made = onboarding.create(label, name=options["name"], owner_email=options["owner"], dry_run=dry_run)
        except onboarding.AlreadyThere as there:
            again = onboarding.addresses(label) | {"invite_url": "", "changed": False}
            self.answer_change(options, again, str(there))
            return
        answer = {name: value for name, value in vars(made).items() if name != "mailed"}
        if dry_run:
            self.answer(options, answer, f"Only tried: {made.clinic} would be at {made.url}")
            return
        self.answer(
            options,
            answer,
            f"{made.clinic} is there: {made.url}\n"
            f"Button in Cliniko: {made.launch_url}\n"
            f"The owner's invitation ({_mailed(made.mailed)}; secret): {made.invite_url}",
        )

    def list(self, options: dict[str, Any]) -> None:
        rows = onboarding.listing()
        if options["json"] or not rows:
            self.answer(options, rows, "No clinic yet: `manage.py clinic create` makes one.")
            return
        address = Column("Address", no_wrap=True, overflow="ignore", min_width=max(len(row["url"]) for row in rows))
        table = Table("Clinic", "Name", "State", "Key", "Mirror", "As of", address, box=None)
        for row in rows:
            day = f" {row['closing_on']}" if row["closing_on"] else ""
            state = f"{'closed' if row['is_closed'] else row['state']}{day}"
            mirror = row["key_state"], row["sync_state"], in_words(row["checked_at"])
            table.add_row(row["clinic"], row["name"], state, *mirror, row["url"])
        self.show_table(table)

    def show(self, options: dict[str, Any]) -> None:
        report = onboarding.report(options["label"])
        if options["json"]:
            self.answer(options, report, "")
            return
        table = Table(show_header=False, box=None)
        for name, value in lines(report):
            table.add_row(name, value)
        self.show_table(table)

    def doctor(self, options: dict[str, Any]) -> None:
        findings = doctor.examine(options["label"], dry_run=options["dry_run"])
        if options["json"]:
            self.answer(options, {"clinic": options["label"], "findings": [vars(each) for each in findings]}, "")
        else:
            table = Table(show_header=False, box=None)
            for each in findings:
                table.add_row(Text(each.light, style=LIGHTS[each.light]), each.check, each.sentence)
            self.show_table(table)
        failed = [each.check for each in findings if each.light is doctor.Light.FAIL]
        if failed:
            raise onboarding.Refused(f"Something is wrong at {options['label']}: {', '.join(failed)}.")

    def set_key(self, options: dict[str, Any]) -> None:
        typed = sys.stdin.readline() if options["key_stdin"] else getpass.getpass("Cliniko API key: ")
        connected = onboarding.set_key(
            options["label"],
            ApiKey(typed.strip()),
            confirm_other_account=options["confirm_other_account"],
            dry_run=options["dry_run"],
        )
        self.answer_change(options, vars(connected), str(connected))

    def sync(self, options: dict[str, Any]) -> None:
        if options["dry_run"]:
            self._foresee_sync(options)
            return
        result = sync_in_foreground(options["label"], full=options["full"], quiet=options["json"])
        lines = [
            f"{name}: {counts['fetched']} fetched, {counts['written']} written, {counts['requests']} requests"
            for name, counts in result["resources"].items()
        ]
        mended = [f"{name}: {count} mended" for name, count in result["mended"].items() if count]
        self.answer(options, result, "\n".join([f"State: {result['state']}", *lines, *mended]))
        if result["put_off"]:
            named = (f"{name} (goes on at {at:%Y-%m-%d %H:%M} UTC)" for name, at in result["put_off"].items())
            raise onboarding.Refused(f"Cliniko did not give everything to be compared: {', '.join(named)}.")

    def _foresee_sync(self, options: dict[str, Any]) -> None:
        foreseen = foresee(options["label"], full=options["full"])
        lines = [
            f"{name}: {each['asks_for']} would be read, {each['here']} are here"
            for name, each in foreseen["resources"].items()
        ]
        budget = f"Requests left this minute: {foreseen['requests_left']}"
        self.answer_change(options, foreseen, "\n".join([f"State: {foreseen['state']}", *lines, budget]))

    def invite(self, options: dict[str, Any]) -> None:
        dry_run, asked = options["dry_run"], {"email": options["email"], "role": options["role"]}
        if options["take_back"]:
            self._take_back(options)
            return
        invite_url, mailed = clinic_staff.invite(options["label"], **asked, dry_run=dry_run)
        words = f"Invitation ({_mailed(mailed)}; secret): {invite_url}"
        if dry_run:
            words = f"{options['email']} would be invited as {options['role']}."
        self.answer_change(options, {"clinic": options["label"], **asked, "invite_url": invite_url}, words)

    def _take_back(self, options: dict[str, Any]) -> None:
        label, email, dry_run = options["label"], options["email"], options["dry_run"]
        changed = clinic_staff.take_back(label, email=email, dry_run=dry_run)
        words = f"The link of {email} works no more." if changed else f"{email} has no invitation that could be used."
        if changed and dry_run:
            words = f"The link of {email} would work no more."
        self.answer_change(options, {"clinic": label, "email": email, "changed": changed}, words)

    def export(self, options: dict[str, Any]) -> None:
        made = export(options["label"], options["to"], dry_run=options["dry_run"])
        counted = [f"{name}: {count}" for name, count in made["records"].items()]
        written = "would be written" if options["dry_run"] else f"{made['bytes']:,} bytes"
        self.answer_change(options, made, "\n".join([f"{made['file']}, {written}", *counted]))

    def reset_second_factor(self, options: dict[str, Any]) -> None:
        email, dry_run = options["email"], options["dry_run"]
        changed, mailed = clinic_staff.reset_second_factor(options["label"], email=email, dry_run=dry_run)
        told = "and was told so by e-mail" if mailed else "but the e-mail could NOT be sent: tell them yourself"
        words = f"{email} signs in with the password alone, is signed out everywhere, {told}."
        if dry_run:
            words = f"{email} has a second step, which would be removed."
        if not changed:
            words = f"{email} has no second step."
        answer = {"clinic": options["label"], "email": email, "mailed": mailed, "changed": changed}
        self.answer_change(options, answer, words)


def _mailed(mailed: bool) -> str:
    return "sent by e-mail" if mailed else "the e-mail could NOT be sent, hand it over yourself"
