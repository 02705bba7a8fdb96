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

from sandbox.supervisor import plain_environment
from tests.end_to_end.stack import new_database

ROOT = Path(__file__).resolve().parents[2]
BUILD = """
from datetime import timedelta
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.utils import timezone
from accounts import factors, invitations
from accounts.models import CacheEntry, OpenSession, UsedTicket, User
from audit.log import Action, record
from django.contrib.sessions.models import Session
from launch.models import Note
from sync.cliniko import ApiKey
from sync.models import Connection, Cursor
from sync.resources import PATIENTS, RESOURCES
from sync.sealing import seal
from sync.store import next_sequence, write_page
from tenants.context import clinic_context
from tenants.models import Clinic, Domain
from tests.payloads import patient_payload

for label, name in (("bondi", "Ada"), ("harbour", "Grace")):
    clinic = Clinic.objects.create(label=label, name=label.title(), state="active")
    Domain.objects.create(domain=label, tenant=clinic)
    clinic.create_schema(verbosity=0)
    with clinic_context(label):
        now = timezone.now()
        for role in ("owner", "reception"):
            User.objects.create_user(f"{role}@clinic.example", "correct horse 42", name=role, role=role)
        robin = User.objects.get(role="reception")
        Session.objects.create(session_key="s" * 32, session_data="x", expire_date=now + timedelta(days=1))
        OpenSession.objects.create(user=robin, browser="Firefox")
        UsedTicket.objects.create(user=robin, digest="d", session_digest="s")
        CacheEntry.objects.create(cache_key="tries", value="1", expires=now + timedelta(days=1))
        invitations.invite("new@clinic.example", "reception")
        Authenticator.objects.create(user=robin, type="totp", data={"secret": factors.seal("ABCDEFGH", robin.pk)})
        key = ApiKey(f"{label}-secret-of-the-clinic-au1")
        sealed = seal(key, clinic=clinic.schema_name, keys=settings.SEALING_KEYS)
        held = {"sealed_key": sealed, "key_state": "ok", "account_subdomain": label, "connected_at": now}
        Connection.objects.create(id=1, state="ok", **held)
        for resource in RESOURCES:
            Cursor.objects.create(resource=resource.name, imported_at=now, checked_at=now, cursor=now, due_at=now)
        records = [patient_payload(str(number), first_name=name) for number in (42, *range(1000, 1300))]
        write_page(PATIENTS, records, sequence=next_sequence())
        Note.objects.create(patient_id="42", text=f"{name} brings a dog", author="Robin")
        for _ in range(3):
            record(Action.VIEWED, by=robin, patient_id="42")
"""
REVEAL = """
from django.conf import settings
from allauth.mfa.models import Authenticator
from accounts import factors
from sync import connection
from tenants.context import clinic_context
with clinic_context({label!r}):
    factor = Authenticator.objects.get()
    key = connection.stored_key(connection.load()).reveal()
    print(key, factors.unseal(factor.data["secret"], factor.user_id))
"""


@dataclass
class House:
    """The database, and the commands as ops run them."""

    database: str
    state: Path
    forks: subprocess.Popen[str]

    def environment(self, **changed: str) -> dict[str, str]:
        return plain_environment(**{"DATABASE_URL": self.database, "STATE_DIRECTORY": str(self.state)} | changed)

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
def house(state: Path, worker: str) -> Iterator[House]:
    """Both clinics with people, a patient 42 each, a note, a key and a log."""
    with new_database(f"sidechart_house_{worker}") as database:
        environment = plain_environment(DATABASE_URL=database, STATE_DIRECTORY=str(state))
        pipe = subprocess.PIPE
        forks = subprocess.Popen(
            [sys.executable, "-m", "tests.ops.forks"], cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True
        )
        with forks:  # which end as soon as nobody asks any more
            built = House(database, state, forks)
            assert built.run("migrate", "--verbosity=0").returncode == 0
            built.script(BUILD)
            yield built
