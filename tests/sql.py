"""The queries a test made, and searches in a schema's tables."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants.models import Clinic


def executed_queries(captured: CaptureQueriesContext) -> list[str]:
    """Return the statements, except those that set the search path, which only servers before PostgreSQL 18 need."""
    return [each["sql"] for each in captured.captured_queries if not each["sql"].startswith("SET search_path")]


def tables_containing(schema: str, *words: str) -> set[str]:
    """Return the tables of a schema that have one of the words in any column, ignoring case."""
    found = set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT EXISTS (SELECT FROM "{schema}"."{table}" AS r WHERE r::text ILIKE ANY (%s))',  # noqa: S608 - ours
                [[f"%{word}%" for word in words]],
            )
            if cursor.fetchone()[0]:
                found.add(table)
    return found


def tables_with(word: str, label: str = "bondi") -> set[str]:
    """Return the tables of a clinic that have this word in any column, ignoring case."""
    return tables_containing(Clinic.objects.get(label=label).schema_name, word)
