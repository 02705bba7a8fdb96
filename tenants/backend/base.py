from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django_tenants.postgresql_backend.base import DatabaseWrapper as TenantsDatabaseWrapper


class DatabaseWrapper(TenantsDatabaseWrapper):
    """Skips `SET search_path` if the server reports that path already, as PostgreSQL does from version 18.

    The server's report is correct after rollbacks, pooling and errors, unlike a remembered value
    (TENANT_LIMIT_SET_CALLS).
    Reference: https://www.postgresql.org/docs/18/libpq-status.html#LIBPQ-PQPARAMETERSTATUS
    """

    def __init__(self, *args: Any, **kwargs: Any):
        self._keeps_search_path = False
        super().__init__(*args, **kwargs)

    @contextmanager
    def keep_search_path(self) -> Iterator[None]:
        """Leave the search path alone, whichever clinic's it is. Statements inside must name each table's schema.

        Saves a request two changes of the path, to public and back.
        """
        self._keeps_search_path = True
        try:
            yield
        finally:
            self._keeps_search_path = False

    def _handle_search_path(self, cursor: Any = None) -> None:
        if self._keeps_search_path:
            return
        reported = self.connection.info.parameter_status("search_path")
        if reported is None or reported != ", ".join(self._get_cursor_search_paths()):
            super()._handle_search_path(cursor)
