"""`python -m tests.ops.command_server`: run `manage.py` commands, each in a fork of one process with Django loaded.

Each line on standard input is JSON: the command's words and the files for its output and errors. Answers with its exit
status. Starting Python and Django for every command would take most of the tests' time.
"""

import json
import os
import sys
import traceback

import django
from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saas.settings")
django.setup()


def run(words: list[str], output: str, error: str) -> int:
    """Return the exit status of one command."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for number, path in ((1, output), (2, error)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    status = 1
    try:
        execute_from_command_line(["manage.py", *words])
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except Exception:  # noqa: BLE001 - the test shows it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(f"{run(**json.loads(line))}\n")
        sys.stdout.flush()
