"""`manage.py clinic suspend | resume | rename | close | purge`."""

from datetime import date
from typing import Any

from audit.log import OPS
from ops import lifecycle
from ops.lifecycle import Changed
from ops.management.output import AnsweringCommand, add_clinic_action
from ops.onboarding import Refused
from ops.purge import Purge, purge


class LifeActions(AnsweringCommand):
    """What changes a clinic's state or name, and what ends it."""

    def add_life_actions(self, actions: Any) -> None:
        suspend = add_clinic_action(
            actions, "suspend", self.suspend, "Lock everybody out and stop the sync; nothing is removed."
        )
        suspend.add_argument("--reason", required=True, help="Why: the console, `show` and the clinic's log say it.")
        add_clinic_action(actions, "resume", self.resume, "Let a suspended or closing clinic work again.")
        rename = add_clinic_action(
            actions, "rename", self.rename, "Give the clinic another subdomain; the former one leads there."
        )
        rename.add_argument("new_label", metavar="NEW_LABEL", help="The new subdomain.")
        close = add_clinic_action(
            actions, "close", self.close, "Set the day from which on nobody gets in, and tell the owners."
        )
        close.add_argument(
            "--on",
            required=True,
            type=date.fromisoformat,
            metavar="YYYY-MM-DD",
            help="The day, from 0:00 UTC.",
        )
        purge_ = add_clinic_action(
            actions, "purge", self.purge, "Remove all that is held of a suspended or closed clinic, for good."
        )
        purge_.add_argument("--yes", action="store_true", help="Do not ask for the label to be typed again.")

    def suspend(self, options: dict[str, Any]) -> None:
        self._tell(options, lifecycle.suspend(**_of(options), reason=options["reason"]))

    def resume(self, options: dict[str, Any]) -> None:
        self._tell(options, lifecycle.resume(**_of(options)))

    def rename(self, options: dict[str, Any]) -> None:
        self._tell(options, lifecycle.rename(**_of(options), new_label=options["new_label"]))

    def close(self, options: dict[str, Any]) -> None:
        self._tell(options, lifecycle.close(**_of(options), on=options["on"]))

    def purge(self, options: dict[str, Any]) -> None:
        foreseen = purge(options["label"], by=OPS, dry_run=True)
        if options["dry_run"] or foreseen.is_done:
            self._tell(options, foreseen)
            return
        if not options["yes"]:
            self.stderr.write(f"{foreseen.sentence} There is no way back. Type the label to go on: ", ending="")
            if _typed() != foreseen.clinic:
                raise Refused("That is not its label: nothing was removed.")
        self._tell(options, purge(options["label"], by=OPS))

    def _tell(self, options: dict[str, Any], done: Changed | Purge) -> None:
        self.answer_change(options, vars(done), done.sentence)


def _of(options: dict[str, Any]) -> dict[str, Any]:
    return {"label": options["label"], "by": OPS, "dry_run": options["dry_run"]}


def _typed() -> str:
    try:
        return input().strip()
    except EOFError:
        return ""
