"""Create a clinic with many patients and appointments."""

import json
import os
import sys
from itertools import islice

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saas.settings")
django.setup()

from django.db import connection

from bench.fake_cliniko import patients
from ops import onboarding
from sandbox.cliniko.data.blank_records import blank_appointment
from sync.resources import PATIENTS
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context

PAGE = 1000
LINK = """
    CREATE FUNCTION pg_temp.link(resource text, id text) RETURNS jsonb LANGUAGE sql AS $$
        SELECT jsonb_build_object('links', jsonb_build_object('self', 'https://api.au1.cliniko.com/v1/' || resource
            || '/' || id))
    $$
"""
APPOINTMENTS = """
    INSERT INTO sync_appointment (cliniko_id, payload, updated_at, sequence, patient_id, practitioner_id, business_id,
        appointment_type_id, starts_at, ends_at)
    SELECT id, %s::jsonb || jsonb_build_object(
            'id', id, 'starts_at', at, 'ends_at', at + interval '30 minutes', 'updated_at', at, 'created_at', at,
            'patient', pg_temp.link('patients', patient_id), 'practitioner', pg_temp.link('practitioners', '1'),
            'business', pg_temp.link('businesses', '1'), 'appointment_type', pg_temp.link('appointment_types', '1')
        ), at, 1, patient_id, '1', '1', '1', at, at + interval '30 minutes'
    FROM (
        SELECT cliniko_id AS patient_id, (number + 10) || right(cliniko_id, 18) AS id,
            timestamptz '2024-01-01' + number * interval '20 days' AS at
        FROM sync_patient, generate_series(1, %s) AS number
    ) AS appointments
"""


def create_clinic(label: str, patient_count: int, appointments: int) -> None:
    """Create patients, and `appointments` appointments for each."""
    onboarding.create(label, name="Bench", owner_email="owner@bench.example")
    with clinic_context(label), connection.cursor() as cursor:
        bodies = (json.loads(patient.body) for patient in patients.invent_patients(patient_count, seed=7))
        while page := list(islice(bodies, PAGE)):
            write_page(PATIENTS, page, sequence=next_sequence())
        cursor.execute(LINK)
        cursor.execute(APPOINTMENTS, [json.dumps(blank_appointment()), appointments])
        cursor.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    create_clinic(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    connection.close()
