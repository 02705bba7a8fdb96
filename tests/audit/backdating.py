"""Lines of the log as if they had been written at another time, which the database refuses to anybody else."""

from typing import Any

from django.db import connection

from audit.models import Event


def rewrite_log(**fields: Any) -> None:
    """Change all lines of the clinic that the test is inside of."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER audit_append_only")
        Event.objects.update(**fields)
        cursor.execute("ALTER TABLE audit_event ENABLE TRIGGER audit_append_only")


def behind_our_back(statement: str) -> None:
    """What somebody with the database's own rights can do."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE audit_event DISABLE TRIGGER USER; {statement}; SET CONSTRAINTS ALL IMMEDIATE")
