"""Find the patient to open: in the mirror, otherwise in Cliniko while the page waits."""

import time
from dataclasses import dataclass

from sync import refresh
from sync.read import patients
from sync.read.records import PatientRecord
from sync.refresh import Outcome

FETCH_SECONDS = 2.5
_POLL_SECONDS = 0.25
_MAX_MERGES = 20


@dataclass(frozen=True)
class Lookup:
    """The patient, or None and why: FRESH without a record means that Cliniko's answer couldn't be read."""

    record: PatientRecord | None
    outcome: Outcome = Outcome.FRESH


def find_patient(patient_id: str) -> Lookup:
    """Return the patient; takes at most FETCH_SECONDS when Cliniko must be asked."""
    record = patients.get(patient_id)
    if record is not None and record.deleted_at is None:
        return Lookup(record)
    deadline = time.monotonic() + FETCH_SECONDS
    outcome = refresh.refresh_patient(patient_id, timeout=FETCH_SECONDS)
    record = patients.get(patient_id)
    while record is None and outcome is Outcome.BUSY and time.monotonic() < deadline:  # another tab asked first
        time.sleep(_POLL_SECONDS)
        record = patients.get(patient_id)
    return Lookup(record, outcome)  # a deleted patient is fetched again too: a wrong 404 must not last


def surviving_id(record: PatientRecord) -> str:
    """Return the ID that this patient lives on as after merges; their own ID if unmerged or if merges form a circle."""
    seen = [record.cliniko_id]
    target = record.merged_into
    while target and target not in seen and len(seen) < _MAX_MERGES:
        seen.append(target)
        merged = patients.get(target)
        target = merged.merged_into if merged else None
    return record.cliniko_id if target else seen[-1]
