"""Queue of faults for coming requests, stored in the database so that another process can add to it."""

import sqlite3
from dataclasses import dataclass

from sandbox.cliniko.data.database import Database
from sandbox.cliniko.data.resources import RESOURCES
from sandbox.cliniko.errors import SandboxError
from sandbox.cliniko.faults.kinds import LIST_FAULTS, Fault

NON_LIST_PATHS = ("user", "settings")


@dataclass(frozen=True)
class InjectedFault:
    """A fault that applies to one request."""

    fault: Fault
    seconds: float


class FaultQueue(Database):
    def inject_fault(
        self,
        account: str,
        fault: Fault,
        *,
        resource: str = "",
        times: int | None = 1,
        after: int = 0,
        seconds: float = 0.0,
    ) -> None:
        """Make the next requests of an account fail. Of several faults, the one added first applies.

        `resource` limits the fault to paths with this prefix, such as `patients` or `patients/deleted`. It skips the
        first `after` matching requests, then hits `times` of them; None means all, until `clear_faults`. List faults
        only match list requests. Requests refused for their key or the rate limit don't count.
        """
        if resource and resource.partition("/")[0] not in (*RESOURCES, *NON_LIST_PATHS):
            raise SandboxError(f"The sandbox has no resource {resource}.")
        with self.writing() as connection:
            if not connection.execute("SELECT 1 FROM accounts WHERE name = ?", (account,)).fetchone():
                raise SandboxError(f"There is no account {account}.")
            values = (account, fault, resource, after, times, seconds)
            sql = "INSERT INTO faults (account, fault, resource, spared, hits, seconds) VALUES (?, ?, ?, ?, ?, ?)"
            connection.execute(sql, values)

    def clear_faults(self, account: str) -> None:
        """Delete every fault of an account."""
        with self.writing() as connection:
            connection.execute("DELETE FROM faults WHERE account = ?", (account,))

    def next_fault(self, account: str, path: str) -> InjectedFault | None:
        """Take the fault for a request to this path, such as `patients/42`, or None."""
        with self.reading() as connection:
            if not connection.execute("SELECT 1 FROM faults WHERE account = ?", (account,)).fetchone():
                return None
        with self.writing() as connection:
            sql = "SELECT * FROM faults WHERE account = ? ORDER BY id"
            matching = [row for row in connection.execute(sql, (account,)).fetchall() if _matches(row, path)]
            ready = [row for row in matching if not _skip(connection, row)]
            return _use(connection, ready[0]) if ready else None


def _matches(row: sqlite3.Row, path: str) -> bool:
    # A list is /patients, /patients/deleted or /patients/42/medical_alerts; a record is /patients/42.
    if Fault(row["fault"]) in LIST_FAULTS and not _is_list(path):
        return False
    return not row["resource"] or f"{path}/".startswith(f"{row['resource']}/")


def _is_list(path: str) -> bool:
    resource, *below = path.split("/")
    return resource in RESOURCES and not (len(below) == 1 and below[0].isdigit())


def _skip(connection: sqlite3.Connection, row: sqlite3.Row) -> bool:
    """Count down the requests to skip, even when another fault hits them."""
    if row["spared"]:
        connection.execute("UPDATE faults SET spared = spared - 1 WHERE id = ?", (row["id"],))
    return bool(row["spared"])


def _use(connection: sqlite3.Connection, row: sqlite3.Row) -> InjectedFault:
    connection.execute("UPDATE faults SET hits = hits - 1 WHERE id = ?", (row["id"],))
    connection.execute("DELETE FROM faults WHERE id = ? AND hits <= 0", (row["id"],))
    return InjectedFault(Fault(row["fault"]), row["seconds"])
