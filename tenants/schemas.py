"""Schemas beside the clinics' own: one that a restore has not finished, and those that clinics had before a restore.

A comment on the schema says which clinic it belongs to, so that no second list of them can go stale.
"""

from django.core.management import call_command

from tenants.database import connection
from tenants.models import Clinic

_UNFINISHED = "Sidechart: unfinished restore of clinic {pk}"
_FORMER = "Sidechart: former schema of clinic {pk}"


def unfinished_mark(clinic: Clinic) -> str:
    """The comment of a schema that a restore of this clinic is about to fill."""
    return _UNFINISHED.format(pk=clinic.pk)


def exists(schema_name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema_name])
        return cursor.fetchone() is not None


def unfinished(clinic: Clinic) -> list[str]:
    """What restores that were killed have left."""
    return _marked(unfinished_mark(clinic))


def former(clinic: Clinic) -> list[str]:
    """What the clinic had before it was restored: patients and staff are in there, so purging it drops these too."""
    return _marked(_FORMER.format(pk=clinic.pk))


def record_switch(clinic: Clinic, fresh: str) -> None:
    """Note that `fresh` is in use now, and that what the clinic had before is kept. Inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"COMMENT ON SCHEMA {_quoted(fresh)} IS NULL")
        if exists(clinic.schema_name):
            cursor.execute(f"COMMENT ON SCHEMA {_quoted(clinic.schema_name)} IS '{_FORMER.format(pk=clinic.pk)}'")


def migrate(schema_name: str) -> None:
    """Bring the tables in there up to date."""
    try:
        call_command("migrate_schemas", tenant=True, schema_name=schema_name, interactive=False, verbosity=0)
    finally:
        connection.set_schema_to_public()


def drop(schema_name: str) -> None:
    """Drop a schema with all that is in it. Raises ValueError for one that a clinic uses."""
    if Clinic.objects.filter(schema_name=schema_name).exists():
        raise ValueError("A schema that a clinic uses is dropped by purging the clinic alone.")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {_quoted(schema_name)} CASCADE")


def _marked(comment: str) -> list[str]:
    in_use = Clinic.objects.values_list("schema_name", flat=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname FROM pg_namespace WHERE obj_description(oid, 'pg_namespace') = %s ORDER BY nspname",
            [comment],
        )
        return [name for (name,) in cursor.fetchall() if name not in set(in_use)]


def _quoted(schema_name: str) -> str:
    return str(connection.ops.quote_name(schema_name))
