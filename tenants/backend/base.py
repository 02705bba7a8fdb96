from contextlib import contextmanager

from django_tenants.postgresql_backend.base import DatabaseWrapper as TenantsDatabaseWrapper


class DatabaseWrapper(TenantsDatabaseWrapper):
    """Skips `SET search_path` when the server itself reports that path, which it does from PostgreSQL 18 on.

    What the server reports is right after rollbacks, pooling and errors too, which a remembered value
    (TENANT_LIMIT_SET_CALLS) is not.
    Reference: https://www.postgresql.org/docs/18/libpq-status.html#LIBPQ-PQPARAMETERSTATUS
    """

    def __init__(self, *args, **kwargs):
        self._leaves_the_path = False
        super().__init__(*args, **kwargs)

    @contextmanager
    def path_as_it_is(self):
        """Statements inside leave the search path as they find it, which may be any clinic's: they name the schema of
        each table. It saves two changes of the path a request, to public and back."""
        self._leaves_the_path = True
        try:
            yield
        finally:
            self._leaves_the_path = False

    def _handle_search_path(self, cursor=None):
        if self._leaves_the_path:
            return
        reported = self.connection.info.parameter_status("search_path")
        if reported is None or reported != ", ".join(self._get_cursor_search_paths()):
            super()._handle_search_path(cursor)
