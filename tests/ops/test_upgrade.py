"""A database from before ops signed in: public has migrations noted that nobody did there."""

from importlib import import_module

from tenants.database import connection
from tenants.models import Clinic

MADE = """
    SELECT 'column', table_name || '.' || column_name, data_type || coalesce(column_default, '')
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name = ANY(%(tables)s)
    UNION SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE conrelid::regclass::text = ANY(%(tables)s)
    UNION SELECT 'index', indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename = ANY(%(tables)s)
    UNION SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger
        WHERE tgrelid::regclass::text = ANY(%(tables)s) AND NOT tgisinternal
    UNION SELECT 'function', proname, prosrc FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'audit%%'
"""
OF_OPS = "audit_event.ops_log_names_no_patient"  # made after these
migration = import_module("ops.migrations.0001_initial")


def made() -> set[tuple[str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(MADE, {"tables": list(migration.NEW_IN_PUBLIC.values())})
        return {tuple(row) for row in cursor.fetchall() if row[1] != OF_OPS}


def make_what_public_lacks() -> None:
    with connection.schema_editor() as editor:
        migration.make_what_public_lacks(None, editor)


def test_what_is_missing_is_made_as_in_a_new_database(bondi: Clinic) -> None:
    new = made()
    assert len(new) > 20
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE public.audit_event, public.mfa_authenticator CASCADE")
        cursor.execute("DROP FUNCTION public.audit_chain(), public.audit_keep()")
    assert made() == set()
    make_what_public_lacks()
    assert made() == new


def test_what_is_there_is_left_as_it_is(bondi: Clinic) -> None:
    new = made()
    make_what_public_lacks()
    assert made() == new
