"""Create a clinic of invented patients, measure typical searches, and print the results as JSON."""

import json
import os
import sys
import time
from itertools import islice
from statistics import median, quantiles
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saas.settings")
django.setup()

from django.db import connection

from bench.fake_cliniko import patients
from ops import onboarding
from sync.models import Patient
from sync.read import patients as read_patients
from sync.resources import PATIENTS
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context

LABEL = "searching"


def search(number: int, runs: int) -> dict[str, Any]:
    """Search each text `runs` times among `number` patients: median and 95th percentile in milliseconds, and hits."""
    onboarding.create(LABEL, name="Searching", owner_email="owner@searching.example")
    with clinic_context(LABEL):
        bodies = (json.loads(patient.body) for patient in patients.invent_patients(number, seed=7))
        while page := list(islice(bodies, 1000)):
            write_page(PATIENTS, page, sequence=next_sequence())
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE sync_patient")
        texts = _search_texts(Patient.objects.order_by("sort_name")[number // 2])
        return {"patients": number, "typed": {what: _timed(text, runs) for what, text in texts.items()}}


def _search_texts(patient: Patient) -> dict[str, str]:
    """Return texts that find this patient, nearly all patients or none."""
    last, first = patient.payload["last_name"], patient.payload["first_name"]
    born = patient.date_of_birth
    phone = patient.search_phones.split()[0]
    return {
        "last name": last,
        "first and last name": f"{first} {last}",
        "last name, first name": f"{last}, {first}",
        "three letters": last[:3],
        "two letters": "an",
        "one letter": "a",
        "date of birth": f"{born:%d.%m.%y}" if born else "1.1.80",
        "name and date of birth": f"{first} {born:%-d %b %Y}" if born else first,
        "end of a phone number": phone[-4:],
        "whole phone number": phone,
        "name and part of a phone number": f"{first} {phone[-4:]}",
        "Cliniko ID": patient.cliniko_id,
        "no match": "xyzzyx",
        "no match, two words": "xyzzyx an",
    }


def _timed(text: str, runs: int) -> dict[str, float]:
    found = read_patients.search(text, limit=21)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        read_patients.search(text, limit=21)
        times.append((time.perf_counter() - started) * 1000)
    return {"median": round(median(times), 2), "p95": round(quantiles(times, n=20)[-1], 2), "found": len(found)}


def main() -> None:
    print(json.dumps(search(int(sys.argv[1]), int(sys.argv[2]))))
    connection.close()


if __name__ == "__main__":
    main()
