"""Cliniko accounts, their API keys and their connected patient apps."""

import base64
import hashlib
import json
import secrets
import sqlite3
from dataclasses import dataclass
from typing import Any

from sandbox.cliniko.data.database import Database
from sandbox.cliniko.errors import SandboxError


@dataclass(frozen=True)
class Account:
    name: str
    shard: str
    settings: dict[str, Any]
    requests_per_minute: int | None  # None: the limit the server was started with
    older: bool  # the API before archived_at and cancelled_at could be filtered


@dataclass(frozen=True)
class Key:
    """An API key. Its text is `body-shard`."""

    body: str
    account: str
    shard: str
    user_id: int
    forbidden: frozenset[str]
    revoked: bool

    @property
    def text(self) -> str:
        return f"{self.body}-{self.shard}"


@dataclass(frozen=True)
class ConnectedApp:
    name: str
    url: str


KEYS = "SELECT keys.*, accounts.shard FROM keys JOIN accounts ON accounts.name = keys.account"


class Accounts(Database):
    def accounts(self) -> list[Account]:
        with self.reading() as connection:
            return [_account(row) for row in connection.execute("SELECT * FROM accounts ORDER BY name").fetchall()]

    def account(self, name: str) -> Account | None:
        with self.reading() as connection:
            row = connection.execute("SELECT * FROM accounts WHERE name = ?", (name,)).fetchone()
        return _account(row) if row else None

    def set_requests_per_minute(self, account: str, requests: int | None) -> None:
        """Set the rate limit of one account; None restores the server's."""
        sql = "UPDATE accounts SET requests_per_minute = ? WHERE name = ?"
        with self.writing() as connection:
            connection.execute(sql, (requests, account))

    def set_api(self, account: str, *, older: bool) -> None:
        """Choose the API version: the older one can't filter lists by archived_at or cancelled_at."""
        with self.writing() as connection:
            cursor = connection.execute("UPDATE accounts SET older = ? WHERE name = ?", (older, account))
            if not cursor.rowcount:
                raise SandboxError(f"There is no account {account}.")

    def key(self, account: str) -> str:
        """Return the account's latest active key. Raises SandboxError if it has none."""
        sql = f"{KEYS} WHERE account = ? AND revoked_at IS NULL ORDER BY keys.rowid DESC"
        with self.reading() as connection:
            row = connection.execute(sql, (account,)).fetchone()
        if not row:
            raise SandboxError(f"{account} has no active key.")
        return _key(row).text

    def find_key(self, text: str, shard: str) -> Key | None:
        """Return the key with this text, even if revoked; the `-shard` suffix is optional."""
        bodies = (text, text.removesuffix(f"-{shard}"))
        with self.reading() as connection:
            row = connection.execute(f"{KEYS} WHERE body IN (?, ?) AND shard = ?", (*bodies, shard)).fetchone()
        return _key(row) if row else None

    def issue_key(self, account: str, *, user_id: int | str | None = None) -> str:
        """Create a key for a user, by default the account's first, and return its text."""
        body = f"MS0xLVNBTkRCT1gt-{secrets.token_urlsafe(24)}"
        with self.writing() as connection:
            sql = "SELECT min(id) FROM records WHERE account = ? AND resource = 'users'"
            user = int(user_id or connection.execute(sql, (account,)).fetchone()[0] or 0)
            connection.execute("INSERT INTO keys (body, account, user_id) VALUES (?, ?, ?)", (body, account, user))
        return self.key(account)

    def revoke_key(self, key: str) -> None:
        self._change_key(key, "revoked_at = ?", self.timestamp())

    def forbid(self, key: str, *resources: str) -> None:
        """Deny the key access to exactly these resources."""
        self._change_key(key, "forbidden = ?", json.dumps(resources))

    def apps(self, account: str) -> list[ConnectedApp]:
        sql = "SELECT name, url FROM apps WHERE account = ? ORDER BY position"
        with self.reading() as connection:
            return [ConnectedApp(**row) for row in map(dict, connection.execute(sql, (account,)).fetchall())]

    def connect_apps(self, account: str, apps: list[ConnectedApp]) -> None:
        """Replace the account's connected patient apps. The page checks that URLs are approved."""
        with self.writing() as connection:
            connection.execute("DELETE FROM apps WHERE account = ?", (account,))
            rows = [(account, number, app.name, app.url) for number, app in enumerate(apps)]
            connection.executemany("INSERT INTO apps VALUES (?, ?, ?, ?)", rows)

    def _change_key(self, key: str, setting: str, value: str) -> None:
        with self.writing() as connection:
            sql = f"UPDATE keys SET {setting} WHERE body IN (?, ?)"
            cursor = connection.execute(sql, (value, key, key.rpartition("-")[0]))
        if not cursor.rowcount:
            raise SandboxError("There is no such key.")


def first_key_body(account: str, seed: int) -> str:
    """Return the body of an account's first key: the same for the same seed, so a rebuilt sandbox keeps its key."""
    digest = hashlib.sha256(f"sandbox:{account}:{seed}".encode()).digest()
    return "MS0xLVNBTkRCT1gt-" + base64.b32encode(digest).decode().rstrip("=").lower()[:40]


def _account(row: sqlite3.Row) -> Account:
    settings = json.loads(row["settings"])
    return Account(row["name"], row["shard"], settings, row["requests_per_minute"], bool(row["older"]))


def _key(row: sqlite3.Row) -> Key:
    forbidden = frozenset(json.loads(row["forbidden"]))
    return Key(row["body"], row["account"], row["shard"], row["user_id"], forbidden, row["revoked_at"] is not None)
