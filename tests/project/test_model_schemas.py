"""Every table exists only in its schemas: staff and patients of clinics are never in public."""

from enum import Flag, auto

import pytest
from django.apps import apps
from django.db import connection

from tenants.models import Clinic


class Schemas(Flag):
    PUBLIC = auto()
    CLINIC = auto()
    BOTH = PUBLIC | CLINIC


TABLES = {
    "tenants_clinic": Schemas.PUBLIC,
    "tenants_domain": Schemas.PUBLIC,
    "tenants_metricsample": Schemas.PUBLIC,  # counters only
    "tenants_keybudget": Schemas.PUBLIC,  # times and a keyed digest, no key and no clinic
    "django_migrations": Schemas.BOTH,
    "django_content_type": Schemas.BOTH,
    "django_session": Schemas.BOTH,
    "django_admin_log": Schemas.BOTH,  # empty: the admin's forms change nothing
    "auth_group": Schemas.BOTH,
    "auth_group_permissions": Schemas.BOTH,
    "auth_permission": Schemas.BOTH,
    # Operators in public, staff in their clinic's schema.
    "accounts_user": Schemas.BOTH,
    "accounts_invitation": Schemas.BOTH,
    "accounts_usedticket": Schemas.BOTH,
    "accounts_opensession": Schemas.BOTH,
    "accounts_securitypolicy": Schemas.BOTH,
    "account_emailaddress": Schemas.BOTH,
    "account_emailconfirmation": Schemas.BOTH,
    "cache_entry": Schemas.BOTH,
    "mfa_authenticator": Schemas.BOTH,
    "ops_dailystats": Schemas.PUBLIC,  # counts by day
    "ops_breakglassgrant": Schemas.PUBLIC,
    "ops_launchtotal": Schemas.PUBLIC,
    "sync_appointment": Schemas.CLINIC,
    "sync_appointmenttype": Schemas.CLINIC,
    "sync_attendee": Schemas.CLINIC,
    "sync_business": Schemas.CLINIC,
    "sync_connection": Schemas.CLINIC,
    "sync_cursor": Schemas.CLINIC,
    "sync_groupappointment": Schemas.CLINIC,
    "sync_retentionpolicy": Schemas.CLINIC,
    "sync_excludedfield": Schemas.CLINIC,
    "sync_medicalalert": Schemas.CLINIC,
    "sync_patient": Schemas.CLINIC,
    "sync_patientchange": Schemas.CLINIC,
    "sync_patientrefresh": Schemas.CLINIC,
    "sync_practitioner": Schemas.CLINIC,
    "sync_reconciliation": Schemas.CLINIC,
    "sync_refusedpayload": Schemas.CLINIC,
    "sync_syncrun": Schemas.CLINIC,
    "audit_event": Schemas.BOTH,  # in public: operators' actions; rows about patients are refused there
    "exports_export": Schemas.CLINIC,
    "launch_buttonclick": Schemas.CLINIC,
    "launch_clinicsettings": Schemas.CLINIC,
    "launch_draft": Schemas.CLINIC,
    "launch_note": Schemas.CLINIC,
    "launch_noteversion": Schemas.CLINIC,
}


def tables_of(schema: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        return {row[0] for row in cursor.fetchall()}


def test_every_model_is_assigned_to_schemas() -> None:
    assert {model._meta.db_table for model in apps.get_models(include_auto_created=True)} <= set(TABLES)


def test_public_has_exactly_its_tables(db: None) -> None:
    assert tables_of("public") == {table for table, place in TABLES.items() if Schemas.PUBLIC in place}


@pytest.mark.parametrize("label", ["bondi", "harbour"])
def test_a_clinic_has_exactly_its_tables(db: None, label: str) -> None:
    schema = Clinic.objects.get(label=label).schema_name
    assert tables_of(schema) == {table for table, place in TABLES.items() if Schemas.CLINIC in place}


@pytest.mark.parametrize("prefix", ["sync_", "launch_"])
def test_no_patient_tables_are_in_public(db: None, prefix: str) -> None:
    assert not {table for table in tables_of("public") if table.startswith(prefix)}


def test_no_other_schema_has_tables(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        found = {row[0] for row in cursor.fetchall()}
    assert found == {"public", *Clinic.objects.values_list("schema_name", flat=True)}


def test_mirrored_tables_have_no_index_for_like(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename LIKE 'sync%%' AND indexdef LIKE '%%_pattern_ops%%'"
        )
        assert cursor.fetchall() == []
