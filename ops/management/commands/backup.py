"""`manage.py backup`: the whole database into one file."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from ops.errors import Refused, database_failure
from ops.recovery import backups


class Command(BaseCommand):
    help = "Write the whole database, every clinic, into one file. Exit status: 0 done, 1 failed, 2 wrong usage."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", nargs="?", type=Path, default=settings.BACKUP_DIRECTORY, help="Where to write.")
        parser.add_argument("--json", action="store_true", help="Answer in JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with database_failure():
                path = backups.write(options["folder"])
        except Refused as refusal:
            self.stderr.write(str(refusal), self.style.ERROR)
            sys.exit(1)
        answer = {"backup": str(path), "bytes": path.stat().st_size}
        self.stdout.write(json.dumps(answer) if options["json"] else f"{path}: {answer['bytes']} bytes")
