"""Schemas that no clinic uses: of unfinished restores, and of clinics before a restore.

A comment on the schema says which clinic it belongs to, so that there is no second list to keep up to date.
"""

from django.core.management import call_command

from tenants.database import connection
from tenants.models import Clinic

_UNFINISHED = "Sidechart: unfinished restore of clinic {pk}"
_FORMER = "Sidechart: former schema of clinic {pk}"


def unfinished_comment(clinic: Clinic) -> str:
    """Return the comment for a schema that a restore of this clinic is about to fill."""
    return _UNFINISHED.format(pk=clinic.pk)


def exists(schema_name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema_name])
        return cursor.fetchone() is not None


def unfinished(clinic: Clinic) -> list[str]:
    """Return the schemas left by restores of this clinic that were killed."""
    return _schemas_with_comment(unfinished_comment(clinic))


def former(clinic: Clinic) -> list[str]:
    """Return the schemas this clinic had before it was restored. They hold patients, so a purge drops them too."""
    return _schemas_with_comment(_FORMER.format(pk=clinic.pk))


def record_switch(clinic: Clinic, fresh: str) -> None:
    """Comment `fresh` as in use and the clinic's current schema as former. Must run inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"COMMENT ON SCHEMA {_quoted(fresh)} IS NULL")
        if exists(clinic.schema_name):
            cursor.execute(f"COMMENT ON SCHEMA {_quoted(clinic.schema_name)} IS '{_FORMER.format(pk=clinic.pk)}'")


def migrate(schema_name: str) -> None:
    """Run the migrations of a clinic's apps in this schema."""
    try:
        call_command("migrate_schemas", tenant=True, schema_name=schema_name, interactive=False, verbosity=0)
    finally:
        connection.set_schema_to_public()


def drop(schema_name: str) -> None:
    """Drop a schema and everything in it. Raises ValueError if a clinic uses it."""
    if Clinic.objects.filter(schema_name=schema_name).exists():
        raise ValueError("A clinic uses this schema: purge the clinic instead.")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {_quoted(schema_name)} CASCADE")


def _schemas_with_comment(comment: str) -> list[str]:
    in_use = Clinic.objects.values_list("schema_name", flat=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname FROM pg_namespace WHERE obj_description(oid, 'pg_namespace') = %s ORDER BY nspname",
            [comment],
        )
        return [name for (name,) in cursor.fetchall() if name not in set(in_use)]


def _quoted(schema_name: str) -> str:
    return str(connection.ops.quote_name(schema_name))
