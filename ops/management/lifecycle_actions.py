"""`manage.py clinic suspend | resume | rename | close | purge`."""

from datetime import date
from typing import Any

from audit.log import OPS
from ops import lifecycle
from ops.errors import Refused
from ops.lifecycle import StateChange
from ops.management.output import ActionCommand, Options, add_clinic_action
from ops.purge import PurgeResult, purge


class LifecycleActions(ActionCommand):
    def add_lifecycle_actions(self, actions: Any) -> None:
        suspend = add_clinic_action(
            actions, "suspend", self.suspend, "Block sign-in and stop the sync. Nothing is deleted."
        )
        suspend.add_argument(
            "--reason", required=True, help="Shown in the console, in `clinic show` and in the clinic's access log."
        )
        add_clinic_action(actions, "resume", self.resume, "Make a suspended or closing clinic work again.")
        rename = add_clinic_action(
            actions, "rename", self.rename, "Change the clinic's subdomain. The old one redirects to the new one."
        )
        rename.add_argument("new_label", metavar="NEW_LABEL", help="The new subdomain.")
        close = add_clinic_action(
            actions, "close", self.close, "Set the first day on which no one can sign in, and email the owners."
        )
        close.add_argument("--on", required=True, type=day, metavar="YYYY-MM-DD", help="The day, from midnight UTC.")
        purge_ = add_clinic_action(
            actions, "purge", self.purge, "Permanently delete everything about a suspended or closed clinic."
        )
        purge_.add_argument("--yes", action="store_true", help="Don't ask to type the label as confirmation.")

    def suspend(self, options: Options) -> None:
        self._write(options, lifecycle.suspend(**_arguments(options), reason=options["reason"]))

    def resume(self, options: Options) -> None:
        self._write(options, lifecycle.resume(**_arguments(options)))

    def rename(self, options: Options) -> None:
        self._write(options, lifecycle.rename(**_arguments(options), new_label=options["new_label"]))

    def close(self, options: Options) -> None:
        self._write(options, lifecycle.close(**_arguments(options), on=options["on"]))

    def purge(self, options: Options) -> None:
        preview = purge(options["label"], by=OPS, dry_run=True)
        if options["dry_run"] or preview.is_done:
            self._write(options, preview)
            return
        if not options["yes"]:
            self.stderr.write(f"{preview.sentence} This can't be undone. Type the label to continue: ", ending="")
            try:
                typed = input().strip()
            except EOFError:
                typed = ""
            if typed != preview.clinic:
                raise Refused("That isn't the label: nothing was deleted.")
        self._write(options, purge(options["label"], by=OPS))

    def _write(self, options: Options, result: StateChange | PurgeResult) -> None:
        self.write(options, vars(result), result.sentence)


def day(text: str) -> date:  # argparse's error names this function: "invalid day value"
    return date.fromisoformat(text)


def _arguments(options: Options) -> dict[str, Any]:
    return {"label": options["label"], "by": OPS, "dry_run": options["dry_run"]}
