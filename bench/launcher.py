"""Run a pipeline and print its duration and each process's peak memory as JSON.

A separate small process, because a forked process starts with its parent's memory in ru_maxrss, and the bench is larger
than some subjects. Imports only the standard library. # Reference: getrusage(2), fork(2)
"""

import json
import os
import subprocess
import sys
import time
from io import IOBase
from typing import IO


def main() -> None:
    """Run `launcher.py LOG COMMANDS`; COMMANDS is a JSON list of commands, piped one into the next."""
    log, commands = sys.argv[1], json.loads(sys.argv[2])
    with open(log, "ab") as output:
        started = time.perf_counter()
        children = start(commands, output)
        results = [os.wait4(child.pid, 0) for child in children]
        seconds = time.perf_counter() - started
    statuses = [os.waitstatus_to_exitcode(status) for _, status, _ in results]
    usages = [usage for _, _, usage in results]
    memory = [usage.ru_maxrss / 1024 for usage in usages]
    cpu_seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "megabytes": memory, "statuses": statuses}))


def start(commands: list[list[str]], output: IO[bytes]) -> list[subprocess.Popen[bytes]]:
    """Start the pipeline; its last process writes to the log."""
    children: list[subprocess.Popen[bytes]] = []
    for position, words in enumerate(commands):
        last = position == len(commands) - 1
        source = children[-1].stdout if children else subprocess.DEVNULL
        target = output if last else subprocess.PIPE
        children.append(subprocess.Popen(words, stdin=source, stdout=target, stderr=output))
        if isinstance(source, IOBase):
            source.close()  # so the writer gets SIGPIPE when its reader ends
    return children


if __name__ == "__main__":
    main()
