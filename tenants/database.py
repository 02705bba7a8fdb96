"""Django's default connection with the type of our backend, which has `schema_name` and `tenant`."""

from typing import TYPE_CHECKING, cast

from django.db import connection as default_connection

if TYPE_CHECKING:
    from tenants.backend.base import DatabaseWrapper

connection = cast("DatabaseWrapper", default_connection)
