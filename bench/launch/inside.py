"""The search from within: a clinic of invented patients, and what people type. Answers in JSON."""

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

from bench import people
from ops import onboarding
from sync.models import Patient
from sync.read import patients
from sync.resources import PATIENTS
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context

LABEL = "searching"


def search(number: int, runs: int) -> dict[str, Any]:
    """So many patients; each text typed so many times: milliseconds at the median and the 95th percentile, and hits."""
    onboarding.create(LABEL, name="Searching", owner_email="owner@searching.example")
    with clinic_context(LABEL):
        bodies = (json.loads(patient.body) for patient in people.patients(number, seed=7))
        while page := list(islice(bodies, 1000)):
            write_page(PATIENTS, page, sequence=next_sequence())
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE sync_patient")
        typed = _typed(Patient.objects.order_by("sort_name")[number // 2])
        return {"patients": number, "typed": {what: _timed(text, runs) for what, text in typed.items()}}


def _typed(patient: Patient) -> dict[str, str]:
    """What people type to find this patient, and texts that find everybody or nobody."""
    family, given = patient.payload["last_name"], patient.payload["first_name"]
    born = patient.date_of_birth
    phone = patient.search_phones.split()[0]
    return {
        "family name": family,
        "given and family name": f"{given} {family}",
        "family name, given name": f"{family}, {given}",
        "three letters": family[:3],
        "two letters": "an",
        "one letter": "a",
        "birth date": f"{born:%d.%m.%y}" if born else "1.1.80",
        "name and birth date": f"{given} {born:%-d %b %Y}" if born else given,
        "end of a phone number": phone[-4:],
        "whole phone number": phone,
        "name and part of a phone number": f"{given} {phone[-4:]}",
        "Cliniko id": patient.cliniko_id,
        "nobody": "xyzzyx",
        "nobody, two words": "xyzzyx an",
    }


def _timed(text: str, runs: int) -> dict[str, float]:
    found = patients.search(text, limit=21)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        patients.search(text, limit=21)
        times.append((time.perf_counter() - started) * 1000)
    return {"median": round(median(times), 2), "p95": round(quantiles(times, n=20)[-1], 2), "found": len(found)}


def main() -> None:
    print(json.dumps(search(int(sys.argv[1]), int(sys.argv[2]))))
    connection.close()


if __name__ == "__main__":
    main()
