"""`python -m tests.ops.forks`: runs `manage.py` again and again, each time in a fork of a process that is set up.

Reads a line of JSON, the words of the command and the files for its standard output and error, and answers with its
exit status. A process of its own for each would spend most of its time on its start.
"""

import json
import os
import sys

import django
from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saas.settings")
django.setup()


def run(words: list[str], output: str, error: str) -> int:
    """The exit status of one command."""
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
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(f"{run(**json.loads(line))}\n")
        sys.stdout.flush()
