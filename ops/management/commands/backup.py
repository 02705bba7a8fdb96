"""`manage.py backup`: back up the whole database to one file."""

from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings

from ops.management.output import ActionCommand, Options
from ops.recovery import backups


class Command(ActionCommand):
    help = "Back up the whole database, every clinic, to one file. Exit status: 0 done, 1 failed, 2 wrong usage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "folder", nargs="?", type=Path, default=settings.BACKUP_DIRECTORY, help="The folder to write to."
        )
        parser.add_argument("--json", action="store_true", help="Print JSON.")
        parser.set_defaults(run=self.backup)

    def backup(self, options: Options) -> None:
        path = backups.write(options["folder"])
        size = path.stat().st_size
        self.write(options, {"backup": str(path), "bytes": size}, f"{path}: {size} bytes")
