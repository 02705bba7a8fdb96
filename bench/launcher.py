"""Runs one subject's processes and tells how long they took and how much memory each held at most, as JSON.

A small process of its own: Linux counts the memory of whoever starts a process to that process, so the bench itself,
which is larger, must not. Nothing beyond the standard library is imported. # Reference: getrusage(2), fork(2)
"""

import json
import os
import subprocess
import sys
import time
from io import IOBase
from typing import IO


def main() -> None:
    """`launcher.py LOG COMMANDS`: the commands are a JSON list of lists of words, piped one into the next."""
    log, commands = sys.argv[1], json.loads(sys.argv[2])
    with open(log, "ab") as output:
        started = time.perf_counter()
        children = start(commands, output)
        ended = [os.wait4(child.pid, 0) for child in children]
        seconds = time.perf_counter() - started
    statuses = [os.waitstatus_to_exitcode(status) for _, status, _ in ended]
    usages = [usage for _, _, usage in ended]
    memory = [usage.ru_maxrss / 1024 for usage in usages]
    busy = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    print(json.dumps({"seconds": seconds, "cpu_seconds": busy, "megabytes": memory, "statuses": statuses}))


def start(commands: list[list[str]], output: IO[bytes]) -> list[subprocess.Popen[bytes]]:
    """The processes, each reading what the one before it writes; the last one writes to the log."""
    children: list[subprocess.Popen[bytes]] = []
    for place, words in enumerate(commands):
        last = place == len(commands) - 1
        source = children[-1].stdout if children else subprocess.DEVNULL
        target = output if last else subprocess.PIPE
        children.append(subprocess.Popen(words, stdin=source, stdout=target, stderr=output))
        if isinstance(source, IOBase):
            source.close()  # so that a writer learns that its reader is gone
    return children


if __name__ == "__main__":
    main()
