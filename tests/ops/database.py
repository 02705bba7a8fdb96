from django.db import connection


def clinic_schemas() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'clinic%'")
        return {row[0] for row in cursor.fetchall()}
