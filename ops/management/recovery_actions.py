"""`manage.py clinic restore | drop-former | reseal`."""

from pathlib import Path
from typing import Any

from ops.management.output import ActionCommand, Options, add_clinic_action
from ops.recovery import key_rotation, restore


class RecoveryActions(ActionCommand):
    def add_recovery_actions(self, actions: Any) -> None:
        action = add_clinic_action(actions, "restore", self.restore, "Restore one clinic from a backup.")
        action.add_argument("--from", required=True, type=Path, dest="backup", metavar="FILE", help="The backup.")
        action.add_argument("--drop-former", action="store_true", help="Drop the clinic's current schema afterwards.")
        action.add_argument(
            "--accept-broken-log", action="store_true", help="Accept a backup whose access log was tampered with."
        )
        action.add_argument(
            "--confirm-other-account", action="store_true", help="Accept a backup of another Cliniko account."
        )
        add_clinic_action(actions, "drop-former", self.drop_former, "Drop the schemas from before a restore.")
        add_clinic_action(
            actions, "reseal", self.reseal, "Seal all secrets with the first of SEALING_KEYS.", label=False
        )

    def restore(self, options: Options) -> None:
        result = restore.restore(
            options["label"],
            options["backup"],
            drop_former=options["drop_former"],
            overrides=restore.Overrides(options["accept_broken_log"], options["confirm_other_account"]),
            dry_run=options["dry_run"],
        )
        self.write(options, vars(result), result.summary())

    def drop_former(self, options: Options) -> None:
        dropped = restore.drop_former(options["label"], dry_run=options["dry_run"])
        text = f"Dropped: {', '.join(dropped)}." if dropped else "There was nothing to drop."
        self.write(options, {"clinic": options["label"], "dropped": dropped}, text)

    def reseal(self, options: Options) -> None:
        result = key_rotation.reseal(dry_run=options["dry_run"])
        self.write(options, vars(result), result.summary(dry_run=options["dry_run"]))
        result.require_all()
