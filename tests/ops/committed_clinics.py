"""Two clinics in a database of their own, where work is committed: what backups see and a killed process leaves."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from sandbox.supervisor import child_environment
from tests.end_to_end.stack import new_database
from tests.services import ROOT

BUILD = """
from tenants.context import clinic_context
from tenants.models import Clinic, Domain
from tests.lived_in_clinic import furnish

for label, name in (("bondi", "Ada"), ("harbour", "Grace")):
    clinic = Clinic.objects.create(label=label, name=label.title(), state="active", key_state="ok")
    Domain.objects.create(domain=label, tenant=clinic)
    clinic.create_schema(verbosity=0)
    with clinic_context(label):
        furnish(clinic, name)
"""
REVEAL = """
from django.conf import settings
from allauth.mfa.models import Authenticator
from accounts import second_factors
from sync.connection import state
from tenants.context import clinic_context
with clinic_context({label!r}):
    factor = Authenticator.objects.get()
    key = state.stored_key(state.load()).reveal()
    print(key, second_factors.unseal(factor.data["secret"], factor.user_id))
"""


@dataclass
class Installation:
    """The database, and the commands as ops run them."""

    database: str
    state: Path
    forks: subprocess.Popen[str]

    def environment(self, **changed: str) -> dict[str, str]:
        return child_environment(**{"DATABASE_URL": self.database, "STATE_DIRECTORY": str(self.state)} | changed)

    def run(self, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in a process of its own when something of its environment is changed."""
        if not changed:
            return self._fork(*words)
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.environment(**changed),
            capture_output=True,
            text=True,
            check=False,
        )

    def _fork(self, *words: str) -> subprocess.CompletedProcess[str]:
        output, error = self.state / "output", self.state / "error"
        asked, told = self.forks.stdin, self.forks.stdout
        assert asked
        assert told
        asked.write(json.dumps({"words": words, "output": str(output), "error": str(error)}) + "\n")
        asked.flush()
        return subprocess.CompletedProcess(words, int(told.readline()), output.read_text(), error.read_text())

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        silent = subprocess.DEVNULL
        return subprocess.Popen(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment(), stdout=silent, stderr=silent
        )

    def answer(self, *words: str, **changed: str) -> dict[str, Any]:
        """What a command says in JSON; the test fails when it fails."""
        done = self.run(*words, "--json", **changed)
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def refusal(self, *words: str, **changed: str) -> str:
        """The one sentence that a command refuses with."""
        done = self.run(*words, **changed)
        assert done.returncode == 1, done.stdout + done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def script(self, program: str, **changed: str) -> str:
        done = self.run("shell", "--verbosity=0", "--command", program, **changed)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def secrets(self, label: str) -> str:
        """The clinic's API key and somebody's secret of an authenticator app, opened in the clinic."""
        return self.script(REVEAL.format(label=label)).strip()

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.database)

    def rows(self, label: str, sql: str) -> list[tuple[Any, ...]]:
        """What the clinic's schema answers."""
        with self.connect() as connection:
            connection.execute("SELECT set_config('search_path', %s, true)", [self.schema(label)])
            asked = connection.execute(sql.encode())
            return asked.fetchall() if asked.description else []

    def schema(self, label: str) -> str:
        with self.connect() as connection:
            asked = "SELECT schema_name FROM tenants_clinic WHERE label = %s"
            return str(connection.execute(asked, [label]).fetchall()[0][0])

    def schemas(self) -> set[str]:
        with self.connect() as connection:
            found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'clinic%'")
            return {name for (name,) in found.fetchall()}

    def digest(self, label: str) -> str:
        """All rows of all tables and the row on public: the same text as long as nothing at all changed."""
        schema = self.schema(label)
        text = hashlib.sha256()
        with self.connect() as connection:
            asked = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename"
            for (table,) in connection.execute(asked, [schema]).fetchall():
                held = f'SELECT row_to_json(each)::text, ctid, xmin FROM "{schema}"."{table}" AS each ORDER BY 1'  # noqa: S608 - ours
                text.update(repr((table, connection.execute(held.encode()).fetchall())).encode())
            row = connection.execute("SELECT row_to_json(c)::text FROM tenants_clinic c WHERE label = %s", [label])
            text.update(repr(row.fetchall()).encode())
        return text.hexdigest()


@contextmanager
def installation(state: Path, worker: str) -> Iterator[Installation]:
    """Both clinics with people, a patient 42 each, a note, a key and a log."""
    with new_database(f"sidechart_house_{worker}") as database:
        environment = child_environment(DATABASE_URL=database, STATE_DIRECTORY=str(state))
        pipe = subprocess.PIPE
        forks = subprocess.Popen(
            [sys.executable, "-m", "tests.ops.forks"], cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True
        )
        with forks:  # which end as soon as nobody asks any more
            built = Installation(database, state, forks)
            assert built.run("migrate", "--verbosity=0").returncode == 0
            built.script(BUILD)
            yield built
