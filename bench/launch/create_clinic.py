"""Create a clinic with a receptionist and a patient with many appointments, and print them as JSON."""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saas.settings")
django.setup()

from django.db import connection
from django.utils import timezone

from accounts.models import User
from bench.fake_cliniko import patients
from ops import onboarding
from sync.models import Connection, Cursor
from sync.resources import BY_NAME, RESOURCES
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context
from tenants.models import Domain

EMAIL, PASSWORD = "robin@bench.example", "correct horse 42"
ADDRESS = "https://api.au1.cliniko.com/v1"


def create_clinic(label: str, appointments: int) -> dict[str, Any]:
    """Create everything and return the schema, the patient and the credentials."""
    onboarding.create(label, name="Bench", owner_email="owner@bench.example")
    with clinic_context(label) as clinic:
        User.objects.create_user(EMAIL, PASSWORD, name="Robin", role="reception")
        patient = json.loads(next(iter(patients.invent_patients(1, seed=7))).body)
        _write("patients", [patient | {"archived_at": None}])
        for name in ("practitioners", "businesses", "appointment_types"):
            _write(
                name, [_record(number, name=f"Name {number}", display_name=f"Name {number}") for number in range(1, 4)]
            )
        _write("medical_alerts", [_record(1, name="Penicillin", patient=_link("patients", patient["id"]))])
        _write("individual_appointments", [_appointment(number, patient["id"]) for number in range(appointments)])
        _mark_imported(label)
    # Stock django-tenants looks up the full host name; our table only allows a label.
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_domain DROP CONSTRAINT domain_is_a_label")
    Domain.objects.create(domain=f"{label}.localhost", tenant=clinic, is_primary=False)
    return {"schema": clinic.schema_name, "patient": patient["id"], "email": EMAIL, "password": PASSWORD}


def _mark_imported(label: str) -> None:
    account = {"sealed_key": "none", "account_subdomain": label, "time_zone": "Australia/Sydney"}
    Connection.objects.update_or_create(id=1, defaults={"state": "ok", "key_state": "ok", **account})
    now = timezone.now()
    for resource in RESOURCES:
        times = {"imported_at": now, "checked_at": now, "cursor": now}
        Cursor.objects.update_or_create(resource=resource.name, defaults=times)


def _write(resource: str, payloads: list[dict[str, Any]]) -> None:
    write_page(BY_NAME[resource], payloads, sequence=next_sequence())


def _record(cliniko_id: int, **fields: Any) -> dict[str, Any]:
    return {"id": str(cliniko_id), "created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z", **fields}


def _link(resource: str, cliniko_id: str) -> dict[str, Any]:
    return {"links": {"self": f"{ADDRESS}/{resource}/{cliniko_id}"}}


def _appointment(number: int, patient_id: str) -> dict[str, Any]:
    starts = datetime.now(UTC) + timedelta(days=20 - 10 * number)
    return _record(
        1000 + number,
        starts_at=f"{starts:%Y-%m-%dT%H:%M:%SZ}",
        ends_at=f"{starts + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}",
        patient=_link("patients", patient_id),
        practitioner=_link("practitioners", str(1 + number % 3)),
        business=_link("businesses", "1"),
        appointment_type=_link("appointment_types", str(1 + number % 2)),
        patient_arrived=number % 5 != 0,
        did_not_arrive=number % 5 == 0,
        cancelled_at=None,
    )


if __name__ == "__main__":
    print(json.dumps(create_clinic(sys.argv[1], int(sys.argv[2]))))
    connection.close()
