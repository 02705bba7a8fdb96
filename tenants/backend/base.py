from django_tenants.postgresql_backend.base import DatabaseWrapper as TenantsDatabaseWrapper


class DatabaseWrapper(TenantsDatabaseWrapper):
    """Skips `SET search_path` when the server itself reports that path, which it does from PostgreSQL 18 on.

    What the server reports is right after rollbacks, pooling and errors too, which a remembered value
    (TENANT_LIMIT_SET_CALLS) is not.
    Reference: https://www.postgresql.org/docs/18/libpq-status.html#LIBPQ-PQPARAMETERSTATUS
    """

    def _handle_search_path(self, cursor=None):
        reported = self.connection.info.parameter_status("search_path")
        if reported is None or reported != ", ".join(self._get_cursor_search_paths()):
            super()._handle_search_path(cursor)
