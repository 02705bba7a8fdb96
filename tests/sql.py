"""What a request asked the database, and what its tables hold."""

from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from tenants.models import Clinic


def questions(captured: CaptureQueriesContext) -> list[str]:
    """The statements, without those that only choose the schema: a server before PostgreSQL 18 is told it each time."""
    return [each["sql"] for each in captured.captured_queries if not each["sql"].startswith("SET search_path")]


def tables_with(word: str, label: str = "bondi") -> set[str]:
    """Return the tables of the clinic's schema that have this word in any column."""
    schema = Clinic.objects.get(label=label).schema_name
    with database.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        tables = [row[0] for row in cursor.fetchall()]
        found = set()
        for table in tables:
            cursor.execute(f'SELECT 1 FROM {schema}."{table}" AS t WHERE t::text ILIKE %s LIMIT 1', [f"%{word}%"])  # noqa: S608
            found |= {table} if cursor.fetchone() else set()
    return found
