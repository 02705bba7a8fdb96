"""Whether the database is what this version of the program needs."""

from django.db import connection
from django.db.migrations.loader import MigrationLoader

_seen_complete = False


def missing_migrations() -> int:
    """How many migrations public lacks. Once there were none, only whether the database answers is asked: nobody takes
    tables away under a running process. Raises DatabaseError."""
    global _seen_complete
    with connection.cursor() as cursor:
        if _seen_complete:
            cursor.execute("SELECT 1")
            return 0
        cursor.execute("SELECT app, name FROM public.django_migrations")
        missing = set(MigrationLoader(None).disk_migrations) - set(cursor.fetchall())
    _seen_complete = not missing
    return len(missing)
