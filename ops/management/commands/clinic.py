"""`manage.py clinic …`: onboard and manage clinics."""

import getpass
import sys
from argparse import ArgumentParser
from datetime import UTC
from pathlib import Path

from rich.table import Column, Table
from rich.text import Text

from accounts.roles import Role
from audit.log import AuditUnavailable
from ops import clinic_staff, doctor, onboarding
from ops.doctor import CheckStatus
from ops.errors import Refused
from ops.export_command import export
from ops.management.lifecycle_actions import LifecycleActions
from ops.management.output import Options, add_clinic_action, emailed, flatten, format_value
from ops.management.recovery_actions import RecoveryActions
from ops.sync_command import preview_sync, sync_in_foreground
from sync.cliniko.client import ApiKey
from sync.cliniko.errors import ClinikoError
from tenants.context import NoSuchClinic
from tenants.dates import in_zone
from tenants.labels import LabelRefused

COLOURS = {CheckStatus.OK: "green", CheckStatus.WARN: "yellow", CheckStatus.FAIL: "bold red"}


class Command(LifecycleActions, RecoveryActions):
    help = "Onboard and manage clinics. Exit status: 0 done, 1 refused or failed, 2 wrong usage."
    refusals = (Refused, LabelRefused, NoSuchClinic, AuditUnavailable, ClinikoError)

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        create = add_clinic_action(actions, "create", self.create, "Create a clinic and invite its owner.")
        create.add_argument("--name", required=True, help="The clinic's name, until Cliniko's is known.")
        create.add_argument("--owner", required=True, metavar="EMAIL", help="The owner's email address.")
        add_clinic_action(actions, "list", self.list, "List every clinic.", label=False)
        add_clinic_action(actions, "show", self.show, "Show one clinic: states, counts, cursors, last run.")
        add_clinic_action(actions, "doctor", self.doctor, "Check everything a clinic needs and say what is wrong.")
        set_key = add_clinic_action(
            actions, "set-key", self.set_key, "Test a Cliniko API key and store it if it works."
        )
        set_key.add_argument("--key-stdin", action="store_true", help="Read the key from standard input, not a prompt.")
        set_key.add_argument(
            "--confirm-other-account", action="store_true", help="Accept a key of another Cliniko account than before."
        )
        sync = add_clinic_action(actions, "sync", self.sync, "Sync the clinic in the foreground until it's up to date.")
        sync.add_argument(
            "--full",
            action="store_true",
            help="Compare every record with Cliniko and fix differences, not just changes.",
        )
        self.add_lifecycle_actions(actions)
        self.add_recovery_actions(actions)
        export = add_clinic_action(actions, "export", self.export, "Export all of a clinic's data to a ZIP file.")
        export.add_argument(
            "--to", required=True, metavar="FILE|FOLDER", type=Path, help="A new file, or a folder to create it in."
        )
        invite = add_clinic_action(actions, "invite", self.invite, "Invite staff by email.")
        invite.add_argument("--email", required=True, help="The email address to invite.")
        invite.add_argument("--role", choices=[role.value for role in Role], default=Role.RECEPTION.value)
        invite.add_argument("--take-back", action="store_true", help="Cancel this address's invitation instead.")
        reset = add_clinic_action(
            actions,
            "reset-second-factor",
            self.reset_second_factor,
            "Reset a user's two-step verification after a lost phone and recovery codes. Verify their identity first.",
        )
        reset.add_argument("--email", required=True, help="The user's email address.")

    def create(self, options: Options) -> None:
        label, dry_run = options["label"], options["dry_run"]
        try:
            made = onboarding.create(label, name=options["name"], owner_email=options["owner"], dry_run=dry_run)
        except onboarding.AlreadyOnboarded as existing:
            data = onboarding.clinic_urls(label) | {"invite_url": "", "changed": False}
            self.write(options, data, str(existing))
            return
        text = (
            f"Created {made.clinic}: {made.url}\n"
            f"Button in Cliniko: {made.launch_url}\n"
            f"The owner's invitation ({emailed(made.mailed)}; secret): {made.invite_url}"
        )
        if dry_run:
            text = f"{made.clinic} would be created at {made.url}"
        self.write(options, {name: value for name, value in vars(made).items() if name != "mailed"}, text)

    def list(self, options: Options) -> None:
        rows = onboarding.list_clinics()
        if options["json"] or not rows:
            self.write(options, rows, "No clinics yet: create one with `manage.py clinic create`.")
            return
        address = Column("Address", no_wrap=True, overflow="ignore", min_width=max(len(row["url"]) for row in rows))
        table = Table("Clinic", "Name", "State", "Key", "Sync", "Last synced", address, box=None)
        for row in rows:
            state = "closed" if row["is_closed"] else row["state"]
            day = f" {row['closing_on']}" if row["closing_on"] else ""
            sync = row["key_state"], row["sync_state"], format_value(row["checked_at"])
            table.add_row(row["clinic"], row["name"], f"{state}{day}", *sync, row["url"])
        self.write_table(table)

    def show(self, options: Options) -> None:
        report = onboarding.report(options["label"])
        if options["json"]:
            self.write(options, report, "")
            return
        table = Table(show_header=False, box=None)
        for name, value in flatten(report):
            table.add_row(name, value)
        self.write_table(table)

    def doctor(self, options: Options) -> None:
        findings = doctor.examine(options["label"], dry_run=options["dry_run"])
        if options["json"]:
            self.write(options, {"clinic": options["label"], "findings": [vars(each) for each in findings]}, "")
        else:
            table = Table(show_header=False, box=None)
            for each in findings:
                table.add_row(Text(each.light, style=COLOURS[each.light]), each.check, each.sentence)
            self.write_table(table)
        failed = [each.check for each in findings if each.light is CheckStatus.FAIL]
        if failed:
            raise Refused(f"{options['label']} has problems: {', '.join(failed)}.")

    def set_key(self, options: Options) -> None:
        typed = sys.stdin.readline() if options["key_stdin"] else getpass.getpass("Cliniko API key: ")
        connected = onboarding.set_key(
            options["label"],
            ApiKey(typed.strip()),
            confirm_other_account=options["confirm_other_account"],
            dry_run=options["dry_run"],
        )
        self.write(options, vars(connected), str(connected))

    def sync(self, options: Options) -> None:
        if options["dry_run"]:
            self._preview_sync(options)
            return
        result = sync_in_foreground(options["label"], full=options["full"], quiet=options["json"])
        lines = [
            f"{name}: {counts['fetched']} fetched, {counts['written']} written, {counts['requests']} requests"
            for name, counts in result["resources"].items()
        ]
        fixed = [f"{name}: {count} fixed" for name, count in result["mended"].items() if count]
        self.write(options, result, "\n".join([f"State: {result['state']}", *lines, *fixed]))
        if result["put_off"]:
            named = (f"{name} (continues {in_zone(at, UTC)})" for name, at in result["put_off"].items())
            raise Refused(f"Cliniko didn't give every record to compare: {', '.join(named)}.")

    def _preview_sync(self, options: Options) -> None:
        preview = preview_sync(options["label"], full=options["full"])
        lines = [
            f"{name}: {each['asks_for']} would be fetched, {each['here']} mirrored"
            for name, each in preview["resources"].items()
        ]
        requests = f"Requests left this minute: {preview['requests_left']}"
        self.write(options, preview, "\n".join([f"State: {preview['state']}", *lines, requests]))

    def invite(self, options: Options) -> None:
        label, email, role, dry_run = (options[name] for name in ("label", "email", "role", "dry_run"))
        if options["take_back"]:
            changed = clinic_staff.cancel_invitation(label, email=email, dry_run=dry_run)
            verb = "would be" if dry_run else "was"
            text = f"The invitation of {email} {verb} cancelled." if changed else f"{email} has no pending invitation."
            self.write(options, {"clinic": label, "email": email, "changed": changed}, text)
            return
        invite_url, sent = clinic_staff.invite(label, email=email, role=role, dry_run=dry_run)
        text = f"Invitation ({emailed(sent)}; secret): {invite_url}"
        if dry_run:
            text = f"{email} would be invited as {role}."
        self.write(options, {"clinic": label, "email": email, "role": role, "invite_url": invite_url}, text)

    def export(self, options: Options) -> None:
        made = export(options["label"], options["to"], dry_run=options["dry_run"])
        counts = [f"{name}: {count}" for name, count in made["records"].items()]
        size = "would be written" if options["dry_run"] else f"{made['bytes']:,} bytes"
        self.write(options, made, "\n".join([f"{made['file']}, {size}", *counts]))

    def reset_second_factor(self, options: Options) -> None:
        email, dry_run = options["email"], options["dry_run"]
        changed, sent = clinic_staff.reset_second_factor(options["label"], email=email, dry_run=dry_run)
        notice = "was notified by email" if sent else "the email could NOT be sent: tell them yourself"
        text = f"{email} was signed out everywhere and can sign in with their password alone; {notice}."
        if dry_run:
            text = f"The two-step verification of {email} would be removed."
        if not changed:
            text = f"{email} has no two-step verification."
        data = {"clinic": options["label"], "email": email, "mailed": sent, "changed": changed}
        self.write(options, data, text)
