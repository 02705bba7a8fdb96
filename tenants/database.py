"""The database connection, typed as what it is: django-tenants' wrapper, which knows its schema."""

from typing import TYPE_CHECKING, cast

from django.db import connection as default_connection

if TYPE_CHECKING:
    from tenants.backend.base import DatabaseWrapper

connection = cast("DatabaseWrapper", default_connection)
