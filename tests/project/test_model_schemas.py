"""Every table in the schemas where it belongs, and nowhere else: a clinic's people and patients never in public."""

from enum import Flag, auto

import pytest
from django.apps import apps
from django.db import connection

from tenants.models import Clinic


class In(Flag):
    PUBLIC = auto()
    CLINIC = auto()
    BOTH = PUBLIC | CLINIC


PLACES = {
    "tenants_clinic": In.PUBLIC,
    "tenants_domain": In.PUBLIC,
    "tenants_metricsample": In.PUBLIC,  # numbers and words of ours
    "tenants_keybudget": In.PUBLIC,  # times and a keyed digest: no key, no clinic
    "django_migrations": In.BOTH,
    "django_content_type": In.BOTH,
    "django_session": In.BOTH,
    "django_admin_log": In.BOTH,  # empty: nothing is changed by the admin's forms
    "auth_group": In.BOTH,
    "auth_group_permissions": In.BOTH,
    "auth_permission": In.BOTH,
    # Ops sign in on the base host, staff at their clinic: two sets of rows that never meet.
    "accounts_user": In.BOTH,
    "accounts_invitation": In.BOTH,
    "accounts_usedticket": In.BOTH,
    "accounts_opensession": In.BOTH,
    "accounts_securitypolicy": In.BOTH,
    "account_emailaddress": In.BOTH,
    "account_emailconfirmation": In.BOTH,
    "cache_entry": In.BOTH,
    "mfa_authenticator": In.BOTH,
    "ops_dailystats": In.PUBLIC,  # counts by day
    "ops_breakglassgrant": In.PUBLIC,
    "ops_launchtotal": In.PUBLIC,
    "sync_appointment": In.CLINIC,
    "sync_appointmenttype": In.CLINIC,
    "sync_attendee": In.CLINIC,
    "sync_business": In.CLINIC,
    "sync_connection": In.CLINIC,
    "sync_cursor": In.CLINIC,
    "sync_groupappointment": In.CLINIC,
    "sync_retentionpolicy": In.CLINIC,
    "sync_excludedfield": In.CLINIC,
    "sync_medicalalert": In.CLINIC,
    "sync_patient": In.CLINIC,
    "sync_patientchange": In.CLINIC,
    "sync_patientrefresh": In.CLINIC,
    "sync_practitioner": In.CLINIC,
    "sync_reconciliation": In.CLINIC,
    "sync_refusedpayload": In.CLINIC,
    "sync_syncrun": In.CLINIC,
    "audit_event": In.BOTH,  # in public: what ops did; a line about a patient is refused there
    "exports_export": In.CLINIC,
    "launch_buttonclick": In.CLINIC,
    "launch_clinicsettings": In.CLINIC,
    "launch_draft": In.CLINIC,
    "launch_note": In.CLINIC,
    "launch_noteversion": In.CLINIC,
}


def tables_of(schema: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        return {row[0] for row in cursor.fetchall()}


def test_every_model_has_its_place() -> None:
    assert {model._meta.db_table for model in apps.get_models(include_auto_created=True)} <= set(PLACES)


def test_public_holds_what_belongs_there_and_nothing_else(db: None) -> None:
    assert tables_of("public") == {table for table, place in PLACES.items() if In.PUBLIC in place}


@pytest.mark.parametrize("label", ["bondi", "harbour"])
def test_a_clinic_holds_what_belongs_there_and_nothing_else(db: None, label: str) -> None:
    schema = Clinic.objects.get(label=label).schema_name
    assert tables_of(schema) == {table for table, place in PLACES.items() if In.CLINIC in place}


@pytest.mark.parametrize("room", ["sync_", "launch_"])
def test_nothing_of_patients_is_in_public(db: None, room: str) -> None:
    assert not {table for table in tables_of("public") if table.startswith(room)}


def test_no_other_schema_holds_a_table(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        found = {row[0] for row in cursor.fetchall()}
    assert found == {"public", *Clinic.objects.values_list("schema_name", flat=True)}
