"""Change audit events, which the database's triggers refuse otherwise."""

from typing import Any

from django.db import connection

from audit.models import Event


def update_events(**fields: Any) -> None:
    """Update every event of the current clinic."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER audit_append_only")
        Event.objects.update(**fields)
        cursor.execute("ALTER TABLE audit_event ENABLE TRIGGER audit_append_only")


def tamper(statement: str) -> None:
    """Run a statement as someone with full database rights could, past all triggers."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE audit_event DISABLE TRIGGER USER; {statement}; SET CONSTRAINTS ALL IMMEDIATE")
