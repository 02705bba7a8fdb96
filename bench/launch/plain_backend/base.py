"""Django's own PostgreSQL backend, told which clinic this is, as the product asks a connection: always the same one."""

from typing import Any

from django.conf import settings
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper


class DatabaseWrapper(PostgresWrapper):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.schema_name: str = settings.BENCH_SCHEMA  # type: ignore[misc] # of plain_settings
        self.tenant: Any = None
