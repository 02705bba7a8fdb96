"""The sandbox's SQLite file: tables, and connections that threads and processes can share."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue

from sandbox.cliniko.clock import Clock, format_time, utc_now

TABLES = """
CREATE TABLE IF NOT EXISTS accounts (
  name TEXT PRIMARY KEY, shard TEXT NOT NULL, settings TEXT NOT NULL, requests_per_minute INTEGER,
  older INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS keys (
  body TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts(name), user_id INTEGER NOT NULL,
  forbidden TEXT NOT NULL DEFAULT '[]', revoked_at TEXT);
CREATE TABLE IF NOT EXISTS records (
  account TEXT NOT NULL, resource TEXT NOT NULL, id INTEGER NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, archived_at TEXT, cancelled_at TEXT, deleted_at TEXT,
  patient_id INTEGER, body TEXT NOT NULL, PRIMARY KEY (account, resource, id));
CREATE TABLE IF NOT EXISTS apps (
  account TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, url TEXT NOT NULL,
  PRIMARY KEY (account, position));
CREATE TABLE IF NOT EXISTS requests (
  id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT, at TEXT NOT NULL,
  method TEXT NOT NULL, path TEXT NOT NULL, status INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS faults (
  id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, fault TEXT NOT NULL, resource TEXT NOT NULL,
  spared INTEGER NOT NULL, hits INTEGER, seconds REAL NOT NULL);
CREATE INDEX IF NOT EXISTS records_by_id ON records
  (account, resource, id, archived_at, cancelled_at, deleted_at);
CREATE INDEX IF NOT EXISTS records_by_update ON records
  (account, resource, updated_at, id, archived_at, cancelled_at, deleted_at);
CREATE INDEX IF NOT EXISTS records_by_creation ON records
  (account, resource, created_at, id, archived_at, cancelled_at, deleted_at);
CREATE INDEX IF NOT EXISTS records_of_patient ON records (account, resource, patient_id, created_at, id);
CREATE INDEX IF NOT EXISTS requests_by_account ON requests (account, id);
CREATE INDEX IF NOT EXISTS faults_by_account ON faults (account, id);
"""
ADDED_COLUMNS = {"accounts": {"older": "INTEGER NOT NULL DEFAULT 0"}}  # missing in files of an earlier version


class Database:
    """A SQLite file in WAL mode with a pool of connections, each used by one thread at a time."""

    def __init__(self, path: Path | str = ":memory:", *, now: Clock = utc_now) -> None:
        self.now = now
        self._scratch = tempfile.TemporaryDirectory() if str(path) == ":memory:" else None
        self.path = Path(self._scratch.name, "cliniko.sqlite3") if self._scratch else Path(path)
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.reading() as connection:
            connection.executescript(TABLES)
        self._add_columns()

    def timestamp(self) -> str:
        return format_time(self.now())

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        connection = self._borrow()
        try:
            yield connection
        finally:
            self._idle.put(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Run the block in one transaction that holds the write lock from its start."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def close(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                break
        if self._scratch:
            self._scratch.cleanup()

    def _add_columns(self) -> None:
        with self.writing() as connection:  # in a transaction: two processes may open an old file at once
            for table, columns in ADDED_COLUMNS.items():
                known = {row["name"] for row in connection.execute(f"PRAGMA table_info({table})").fetchall()}
                for name in columns.keys() - known:
                    connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {columns[name]}")

    def _borrow(self) -> sqlite3.Connection:
        try:
            return self._idle.get_nowait()
        except Empty:
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=20, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection
