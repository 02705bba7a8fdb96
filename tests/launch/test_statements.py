"""How often the database is asked for one view of a patient."""

from datetime import timedelta

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.launch.conftest import AddRecord
from tests.payloads import alert_payload, appointment_payload

MOST = 8  # clinic, session, user and the row in the access log among them


def test_a_view_takes_at_most_eight_statements(reception: Client, add_record: AddRecord) -> None:
    add_record("bondi", "medical_alerts", alert_payload("7", "42", "Penicillin"))
    for number in range(60):
        starts_at = (timezone.now() + timedelta(days=20 - 10 * number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        add_record("bondi", "individual_appointments", appointment_payload(str(100 + number), "42", starts_at))
    reception.get("/patients/42/")
    with CaptureQueriesContext(connection) as captured:
        assert "Penicillin" in reception.get("/patients/42/").content.decode()
    # Choosing the schema is no question: on PostgreSQL 18 it is skipped where the server has it chosen already.
    asked = [query["sql"] for query in captured if not query["sql"].startswith("SET search_path")]
    assert len(asked) <= MOST, "\n".join(asked)
