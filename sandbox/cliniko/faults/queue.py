"""Which requests are to go wrong, and how. It is kept in the file, so that another process may decide it."""

import sqlite3
from dataclasses import dataclass

from sandbox.cliniko.data.database import Database
from sandbox.cliniko.data.resources import RESOURCES
from sandbox.cliniko.errors import SandboxError
from sandbox.cliniko.faults.kinds import OF_LISTS, Fault

OTHERS = ("user", "settings")  # paths of the API that belong to no list


@dataclass(frozen=True)
class Hit:
    """What is done to one request."""

    fault: Fault
    seconds: float


class Misbehaviour(Database):
    def misbehave(
        self,
        account: str,
        fault: Fault,
        *,
        resource: str = "",
        times: int | None = 1,
        after: int = 0,
        seconds: float = 0.0,
    ) -> None:
        """Let the next requests of an account go wrong; of several faults the first one set wins.

        `resource` limits it to paths that begin like this, such as `patients` or `patients/deleted`. The first `after`
        requests it could hit are spared, then `times` are hit; None: all, until `behave`. Faults of lists pass over
        other requests, and none is spent on a request that is refused anyway, for its key or the rate limit.
        """
        if resource and resource.partition("/")[0] not in (*RESOURCES, *OTHERS):
            raise SandboxError(f"The sandbox has no resource {resource}.")
        with self.writing() as connection:
            if not connection.execute("SELECT 1 FROM accounts WHERE name = ?", (account,)).fetchone():
                raise SandboxError(f"There is no account {account}.")
            values = (account, fault, resource, after, times, seconds)
            sql = "INSERT INTO faults (account, fault, resource, spared, hits, seconds) VALUES (?, ?, ?, ?, ?, ?)"
            connection.execute(sql, values)

    def behave(self, account: str) -> None:
        """Forget every fault of an account."""
        with self.writing() as connection:
            connection.execute("DELETE FROM faults WHERE account = ?", (account,))

    def next_fault(self, account: str, path: str) -> Hit | None:
        """What is to be done to a request for this path, such as `patients/42`; counts it as done."""
        with self.reading() as connection:
            if not connection.execute("SELECT 1 FROM faults WHERE account = ?", (account,)).fetchone():
                return None
        with self.writing() as connection:
            sql = "SELECT * FROM faults WHERE account = ? ORDER BY id"
            reaching = [row for row in connection.execute(sql, (account,)).fetchall() if _reaches(row, path)]
            ready = [row for row in reaching if not _spare(connection, row)]
            return _spend(connection, ready[0]) if ready else None


def _reaches(row: sqlite3.Row, path: str) -> bool:
    """A list is /patients, /patients/deleted or /patients/42/medical_alerts; a record is /patients/42."""
    if Fault(row["fault"]) in OF_LISTS and not _is_list(path):
        return False
    return not row["resource"] or f"{path}/".startswith(f"{row['resource']}/")


def _is_list(path: str) -> bool:
    resource, *below = path.split("/")
    return resource in RESOURCES and not (len(below) == 1 and below[0].isdigit())


def _spare(connection: sqlite3.Connection, row: sqlite3.Row) -> bool:
    """Count down the requests that are let through, whatever another fault does to them."""
    if row["spared"]:
        connection.execute("UPDATE faults SET spared = spared - 1 WHERE id = ?", (row["id"],))
    return bool(row["spared"])


def _spend(connection: sqlite3.Connection, row: sqlite3.Row) -> Hit:
    connection.execute("UPDATE faults SET hits = hits - 1 WHERE id = ?", (row["id"],))
    connection.execute("DELETE FROM faults WHERE id = ? AND hits <= 0", (row["id"],))
    return Hit(Fault(row["fault"]), row["seconds"])
