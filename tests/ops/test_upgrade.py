"""Databases of earlier versions: what their migrations find there, and make of it."""

from importlib import import_module

import pytest

from sync.models import Connection
from tenants.context import clinic_context
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


@pytest.mark.parametrize(
    ("sealed_key", "state", "key_state"),
    [
        ("", "no_key", "missing"),
        ("sealed", "key_invalid", "invalid"),
        ("sealed", "key_forbidden", "forbidden"),
        ("sealed", "paused", "ok"),
        ("sealed", "unreachable", "ok"),
    ],
)
def test_the_state_of_a_key_begins_as_that_of_the_sync_tells_it(
    bondi: Clinic, harbour: Clinic, sealed_key: str, state: str, key_state: str
) -> None:
    Clinic.objects.filter(pk=bondi.pk).update(sync_state=state)
    with clinic_context("bondi"):
        Connection.objects.create(id=1, sealed_key=sealed_key, state=state)
        with connection.cursor() as cursor:
            cursor.execute(import_module("sync.migrations.0005_key_state").AS_FAR_AS_KNOWN)
        assert Connection.objects.get().key_state == key_state
    with connection.cursor() as cursor:
        cursor.execute(import_module("tenants.migrations.0008_key_state").AS_FAR_AS_KNOWN)
    assert dict(Clinic.objects.values_list("label", "key_state")) == {"bondi": key_state, "harbour": "missing"}
