"""Log of API requests, so that a test can assert which calls reached Cliniko."""

from dataclasses import dataclass

from sandbox.cliniko.data.database import Database

MAX_REQUESTS = 20_000


@dataclass(frozen=True)
class LoggedRequest:
    account: str | None  # None: unknown key
    at: str
    method: str
    path: str  # with its query string
    status: int


class RequestLog(Database):
    def log_request(self, account: str | None, method: str, path: str, status: int) -> None:
        sql = "INSERT INTO requests (account, at, method, path, status) VALUES (?, ?, ?, ?, ?)"
        with self.writing() as connection:
            latest = connection.execute(sql, (account, self.timestamp(), method, path, status)).lastrowid or 0
            if latest % 1000 == 0:
                connection.execute("DELETE FROM requests WHERE id <= ?", (latest - MAX_REQUESTS,))

    def requests(self, account: str | None = None) -> list[LoggedRequest]:
        """Return the requests of one account or of all, oldest first, including refused ones."""
        sql = "SELECT account, at, method, path, status FROM requests WHERE ? IN (account, '') ORDER BY id"
        with self.reading() as connection:
            return [LoggedRequest(*row) for row in connection.execute(sql, (account or "",)).fetchall()]

    def count_requests(self, account: str | None = None) -> int:
        with self.reading() as connection:
            sql = "SELECT count(*) FROM requests WHERE ? IN (account, '')"
            return int(connection.execute(sql, (account or "",)).fetchone()[0])
