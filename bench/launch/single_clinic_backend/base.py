"""Django's PostgreSQL backend with the attributes that the product reads from a connection, for one clinic."""

from typing import Any

from django.conf import settings
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper


class DatabaseWrapper(PostgresWrapper):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.schema_name: str = settings.BENCH_SCHEMA  # type: ignore[misc] # of single_clinic_settings
        self.tenant: Any = None
