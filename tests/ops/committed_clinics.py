"""Two clinics in a database of their own with committed data, for tests of backups and of killed processes."""

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
from tests.end_to_end.stack import new_database, wait_until
from tests.services import ROOT

CREATE_CLINICS = """
from tenants.context import clinic_context
from tenants.models import Clinic, Domain
from tests.clinic_data import populate

for label, name in (("bondi", "Ada"), ("harbour", "Grace")):
    clinic = Clinic.objects.create(label=label, name=label.title(), state="active", key_state="ok")
    Domain.objects.create(domain=label, tenant=clinic)
    clinic.create_schema(verbosity=0)
    with clinic_context(label):
        populate(clinic, name)
"""
PRINT_SECRETS = """
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
    """A database with two clinics, and `manage.py` on it."""

    database: str
    state: Path
    command_server: subprocess.Popen[str]

    def environment(self, **changed: str) -> dict[str, str]:
        return child_environment(**{"DATABASE_URL": self.database, "STATE_DIRECTORY": str(self.state)} | changed)

    def run(self, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in a process of its own if an environment variable is changed."""
        if changed:
            return subprocess.run(
                [sys.executable, "manage.py", *words],
                cwd=ROOT,
                env=self.environment(**changed),
                capture_output=True,
                text=True,
                check=False,
            )
        output, error = self.state / "output", self.state / "error"
        requests, statuses = self.command_server.stdin, self.command_server.stdout
        assert requests
        assert statuses
        requests.write(json.dumps({"words": words, "output": str(output), "error": str(error)}) + "\n")
        requests.flush()
        return subprocess.CompletedProcess(words, int(statuses.readline()), output.read_text(), error.read_text())

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command in a process of its own."""
        silent = subprocess.DEVNULL
        return subprocess.Popen(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment(), stdout=silent, stderr=silent
        )

    def run_json(self, *words: str, **changed: str) -> dict[str, Any]:
        """Return a command's JSON output; fail the test if the command fails."""
        done = self.run(*words, "--json", **changed)
        assert done.returncode == 0, done.stderr
        output: dict[str, Any] = json.loads(done.stdout)
        return output

    def refusal(self, *words: str, **changed: str) -> str:
        """Return the one sentence that a command refuses with."""
        done = self.run(*words, **changed)
        assert done.returncode == 1, done.stdout + done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def run_script(self, program: str, **changed: str) -> str:
        done = self.run("shell", "--verbosity=0", "--command", program, **changed)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def secrets(self, label: str) -> str:
        """Return the clinic's decrypted API key and authenticator app secret."""
        return self.run_script(PRINT_SECRETS.format(label=label)).strip()

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.database)

    def query(self, label: str, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL in the clinic's schema and return the rows."""
        with self.connect() as connection:
            connection.execute("SELECT set_config('search_path', %s, true)", [self.schema(label)])
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def schema(self, label: str) -> str:
        with self.connect() as connection:
            rows = connection.execute("SELECT schema_name FROM tenants_clinic WHERE label = %s", [label])
            return str(rows.fetchall()[0][0])

    def schemas(self) -> set[str]:
        with self.connect() as connection:
            rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'clinic%'")
            return {name for (name,) in rows.fetchall()}

    def digest(self, label: str) -> str:
        """Return a digest of every row of every table and of the row in public, including their versions."""
        schema = self.schema(label)
        digest = hashlib.sha256()
        with self.connect() as connection:
            tables = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename"
            for (table,) in connection.execute(tables, [schema]).fetchall():
                rows = f'SELECT row_to_json(each)::text, ctid, xmin FROM "{schema}"."{table}" AS each ORDER BY 1'  # noqa: S608 - ours
                digest.update(repr((table, connection.execute(rows.encode()).fetchall())).encode())
            row = connection.execute("SELECT row_to_json(c)::text FROM tenants_clinic c WHERE label = %s", [label])
            digest.update(repr(row.fetchall()).encode())
        return digest.hexdigest()

    def wait_for_blocked_query(self) -> None:
        """Wait until a query waits for a lock that the test holds."""
        blocked = b"SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        with self.connect() as connection:
            connection.autocommit = True
            wait_until(lambda: connection.execute(blocked).fetchall(), what="a restore that waits")


@contextmanager
def new_installation(state: Path, worker: str) -> Iterator[Installation]:
    """Yield an installation whose clinics have staff, a patient 42, a note, an API key and an access log each."""
    with new_database(f"sidechart_committed_{worker}") as database:
        environment = child_environment(DATABASE_URL=database, STATE_DIRECTORY=str(state))
        command = [sys.executable, "-m", "tests.ops.command_server"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True) as server:
            created = Installation(database, state, server)
            assert created.run("migrate", "--verbosity=0").returncode == 0
            created.run_script(CREATE_CLINICS)
            yield created
