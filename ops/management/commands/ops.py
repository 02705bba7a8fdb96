"""`manage.py ops …`: manage operators' accounts."""

from argparse import ArgumentParser
from datetime import UTC

from rich.table import Table

from ops import operators
from ops.management.output import ActionCommand, Handler, Options, add_action, emailed
from tenants.dates import in_zone


class Command(ActionCommand):
    help = "Manage operators' accounts. Exit status: 0 done, 1 refused or failed, 2 wrong usage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

        def add(name: str, run: Handler, help: str) -> None:
            add_action(actions, name, run, help).add_argument("email", metavar="EMAIL", help="The operator's email.")

        add("create", self.create, "Invite an operator.")
        add_action(actions, "list", self.list, "List every operator's account.")
        add("suspend", self.suspend, "Sign an operator out and block sign-in.")
        add("resume", self.resume, "Allow sign-in again.")
        add("reset-second-factor", self.reset_second_factor, "Reset two-step verification after a lost phone.")
        add("reset-password", self.reset_password, "Print a link to choose a new password within an hour.")

    def create(self, options: Options) -> None:
        made = operators.create(options["email"])
        text = f"Invitation ({emailed(made.mailed)}; secret): {made.invite_url}"
        self.write(options, {"email": made.email, "invite_url": made.invite_url}, text)

    def list(self, options: Options) -> None:
        accounts = operators.list_accounts()
        if options["json"] or not accounts:
            text = "No operators yet: invite one with `manage.py ops create`."
            self.write(options, [vars(each) for each in accounts], text)
            return
        table = Table("Email", "Name", "State", "Two-step verification", "Last sign-in", box=None)
        for each in accounts:
            last_login = in_zone(each.last_login, UTC) if each.last_login else "never"
            state, factor = "active" if each.active else "suspended", "on" if each.second_factor else "off"
            table.add_row(each.email, each.name, state, factor, last_login)
        self.write_table(table)

    def suspend(self, options: Options) -> None:
        changed = operators.suspend(options["email"])
        self._write_change(options, changed, "was signed out and can't sign in" if changed else "is already suspended")

    def resume(self, options: Options) -> None:
        changed = operators.resume(options["email"])
        self._write_change(options, changed, "can sign in again" if changed else "isn't suspended")

    def reset_second_factor(self, options: Options) -> None:
        changed = operators.reset_second_factor(options["email"])
        text = "sets up two-step verification again at the next sign-in" if changed else "has no two-step verification"
        self._write_change(options, changed, text)

    def _write_change(self, options: Options, changed: bool, text: str) -> None:
        email = options["email"]
        self.write(options, {"email": email, "changed": changed}, f"{email} {text}.")

    def reset_password(self, options: Options) -> None:
        url = operators.reset_password(options["email"])
        text = f"Password reset link (one hour; secret): {url}"
        self.write(options, {"email": options["email"], "reset_url": url}, text)
