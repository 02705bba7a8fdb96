"""The number of database queries for one view of a patient."""

from collections.abc import Callable
from datetime import timedelta

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from launch.models import ClinicSettings
from launch.notes import write
from tenants.context import clinic_context
from tests.audit.tampering import update_events
from tests.conftest import AddRecord
from tests.launch.views.test_patient import merged_into
from tests.payloads import alert_payload, appointment_payload
from tests.sql import executed_queries

MOST = 8  # including clinic, session, user and the audit entry


def test_a_view_takes_at_most_eight_queries(
    reception: Client, add_record: AddRecord, add_patient: Callable[..., str]
) -> None:
    add_record("bondi", "medical_alerts", alert_payload("7", "42", "Penicillin"))
    for number in range(60):
        starts_at = (timezone.now() + timedelta(days=20 - 10 * number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        add_record("bondi", "individual_appointments", appointment_payload(str(100 + number), "42", starts_at))
    cards = {"medicare": "2123 45670 1", "email": "ada@new.example", "updated_at": "2026-02-01T00:00:00Z"}
    reception.get("/patients/42/")
    add_patient("bondi", "42", **cards)
    add_patient("bondi", "43", **merged_into("42"))
    with clinic_context("bondi"):
        ClinicSettings.objects.create(id=1, shows_card_numbers=True)
        write("43", "Prefers mornings", by=User.objects.get())
        update_events(occurred_at=timezone.now() - timedelta(days=1))
    with CaptureQueriesContext(connection) as captured:
        page = reception.get("/patients/42/").content.decode()
    for shown in ("Penicillin", "ada@new.example", "Card numbers", "Prefers mornings", "Changed since", "Attendance"):
        assert shown in page
    queries = executed_queries(captured)
    assert len(queries) <= MOST, "\n".join(queries)
