"""The data behind the API and the pages; tests use it to change records."""

import json
from random import Random
from typing import Any

from sandbox.cliniko.data.accounts import Accounts, first_key_body
from sandbox.cliniko.data.blank_records import blank_patient
from sandbox.cliniko.data.bookings import Bookings
from sandbox.cliniko.data.records import FIRST_ID, INSERT, SETTABLE_COLUMNS, Record, pop_columns
from sandbox.cliniko.data.request_log import RequestLog
from sandbox.cliniko.errors import SandboxError
from sandbox.cliniko.faults.queue import FaultQueue
from sandbox.cliniko.seed.account import AccountSeed
from sandbox.cliniko.seed.account_settings import account_settings

RESERVED = {"api", "static"}  # first path segments that are not accounts


class Store(Accounts, Bookings, FaultQueue, RequestLog):
    """Accounts, keys, records, faults and the request log of a sandbox."""

    def add_account(self, name: str, shard: str = "au1", seed: int = 7, patients: int = 0) -> str:
        """Create an account with a clinic and invented patients in one transaction, and return its key."""
        if name in RESERVED:
            raise SandboxError(f"An account cannot be called {name}.")
        settings = account_settings(name)
        random = Random(f"{seed}:{name}")
        seed_data = AccountSeed(name, settings, random, self.now(), patients)
        with self.writing() as connection:
            if connection.execute("SELECT 1 FROM accounts WHERE name = ?", (name,)).fetchone():
                raise SandboxError(f"There is an account {name} already.")
            values = (name, shard, json.dumps(settings))
            connection.execute("INSERT INTO accounts (name, shard, settings) VALUES (?, ?, ?)", values)
            key = (first_key_body(name, seed), name, FIRST_ID)
            connection.execute("INSERT INTO keys (body, account, user_id) VALUES (?, ?, ?)", key)
            connection.executemany(INSERT, (record.row() for record in seed_data.records()))
        return self.key(name)

    def add_patient(self, account: str, **fields: Any) -> str:
        """Add a patient and return its id. `fields` may include id, created_at, updated_at and archived_at."""
        columns = pop_columns(fields, SETTABLE_COLUMNS)
        return self.add(account, "patients", {**blank_patient(), **fields}, **columns)

    def add_alert(self, account: str, patient_id: int | str, name: str, **columns: Any) -> str:
        return self.add(account, "medical_alerts", {"name": name}, patient_id=int(patient_id), **columns)

    def patient(self, account: str, id: int | str) -> Record | None:
        return self.record(account, "patients", id)
