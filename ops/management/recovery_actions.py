"""`manage.py clinic restore | drop-former | reseal`."""

from pathlib import Path
from typing import Any

from ops.management.output import AnsweringCommand, add_clinic_action
from ops.recovery import key_rotation, restore


class RecoveryActions(AnsweringCommand):
    """What brings a clinic back, and what keeps its secrets openable."""

    def add_recovery_actions(self, actions: Any) -> None:
        action = add_clinic_action(actions, "restore", self.restore, "Bring one clinic back from a backup.")
        action.add_argument("--from", required=True, type=Path, dest="backup", metavar="FILE", help="The backup.")
        action.add_argument("--drop-former", action="store_true", help="Drop what the clinic had until now.")
        action.add_argument(
            "--accept-broken-log", action="store_true", help="Also when its access log was rewritten before the backup."
        )
        action.add_argument(
            "--confirm-other-account", action="store_true", help="Also when it had another Cliniko account then."
        )
        add_clinic_action(actions, "drop-former", self.drop_former, "Drop what a clinic had before it was restored.")
        add_clinic_action(
            actions, "reseal", self.reseal, "Seal every clinic's secrets with the first of SEALING_KEYS.", label=False
        )

    def restore(self, options: dict[str, Any]) -> None:
        done = restore.restore(
            options["label"],
            options["backup"],
            drop_former=options["drop_former"],
            accepted=restore.Accepted(options["accept_broken_log"], options["confirm_other_account"]),
            dry_run=options["dry_run"],
        )
        self.answer_change(options, vars(done), done.in_words())

    def drop_former(self, options: dict[str, Any]) -> None:
        dropped = restore.drop_formers(options["label"], dry_run=options["dry_run"])
        words = f"Dropped: {', '.join(dropped)}." if dropped else "There was nothing to drop."
        self.answer_change(options, {"clinic": options["label"], "dropped": dropped}, words)

    def reseal(self, options: dict[str, Any]) -> None:
        done = key_rotation.reseal(dry_run=options["dry_run"])
        self.answer_change(options, vars(done), done.in_words(dry_run=options["dry_run"]))
        done.require_all()
