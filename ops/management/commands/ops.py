"""`manage.py ops …`: the accounts of those who look after clinics."""

import sys
from argparse import ArgumentParser
from typing import Any

from rich.table import Table

from ops import operators
from ops.errors import Refused, database_failure
from ops.management.output import AnsweringCommand, Run, add_action


class Command(AnsweringCommand):
    help = "Look after the accounts of ops. Exit status: 0 done, 1 refused or failed, 2 wrong usage."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        _action(actions, "create", self.create, "Invite somebody to be one of ops.")
        _action(actions, "list", self.list, "Show everybody who has an account.", email=False)
        _action(actions, "suspend", self.suspend, "Sign somebody out and let them in no more.")
        _action(actions, "resume", self.resume, "Let somebody in again.")
        _action(actions, "reset-second-factor", self.reset_second_factor, "For somebody who lost phone and codes.")
        _action(actions, "reset-password", self.reset_password, "A link to a new password, for one hour.")

    def handle(self, *args: Any, **options: Any) -> None:
        action: Run = options["run"]
        try:
            with database_failure():
                action(options)
        except Refused as refusal:
            self.stderr.write(str(refusal), self.style.ERROR)
            sys.exit(1)

    def create(self, options: dict[str, Any]) -> None:
        made = operators.create(options["email"])
        how = "sent by e-mail" if made.mailed else "the e-mail could NOT be sent, hand it over yourself"
        answer = {"email": made.email, "invite_url": made.invite_url}
        self.answer(options, answer, f"Invitation ({how}; secret): {made.invite_url}")

    def list(self, options: dict[str, Any]) -> None:
        accounts = operators.listing()
        if options["json"] or not accounts:
            rows = [vars(each) for each in accounts]
            self.answer(options, rows, "Nobody yet: `manage.py ops create` invites somebody.")
            return
        table = Table("E-mail", "Name", "State", "Second step", "Last signed in", box=None)
        for each in accounts:
            signed_in = f"{each.last_login:%Y-%m-%d %H:%M} UTC" if each.last_login else "never"
            state, factor = "active" if each.active else "suspended", "yes" if each.second_factor else "no"
            table.add_row(each.email, each.name, state, factor, signed_in)
        self.show_table(table)

    def suspend(self, options: dict[str, Any]) -> None:
        changed = operators.suspend(options["email"])
        words = "is signed out and gets in no more" if changed else "was suspended before"
        self.answer(options, {"email": options["email"], "changed": changed}, f"{options['email']} {words}.")

    def resume(self, options: dict[str, Any]) -> None:
        changed = operators.resume(options["email"])
        words = "can sign in again" if changed else "was not suspended"
        self.answer(options, {"email": options["email"], "changed": changed}, f"{options['email']} {words}.")

    def reset_second_factor(self, options: dict[str, Any]) -> None:
        changed = operators.reset_second_factor(options["email"])
        words = "sets up a new second step at the next sign-in" if changed else "has no second step"
        self.answer(options, {"email": options["email"], "changed": changed}, f"{options['email']} {words}.")

    def reset_password(self, options: dict[str, Any]) -> None:
        url = operators.reset_password(options["email"])
        self.answer(options, {"email": options["email"], "reset_url": url}, f"New password (one hour; secret): {url}")


def _action(actions: Any, name: str, run: Run, text: str, *, email: bool = True) -> None:
    parser = add_action(actions, name, run, text, label=False)
    if email:
        parser.add_argument("email", metavar="EMAIL", help="Whose account.")
