"""Finding the patient a person came for: in the mirror, or else from Cliniko while the page waits."""

import time
from dataclasses import dataclass

from sync import refresh
from sync.read import patients
from sync.read.records import PatientRecord
from sync.refresh import Outcome

PATIENCE_SECONDS = 2.5
_LOOK_AGAIN_SECONDS = 0.25
_MERGES_FOLLOWED = 20


@dataclass(frozen=True)
class Arrival:
    """The patient, or why not: `outcome` is FRESH with no record when Cliniko's answer could not be read."""

    record: PatientRecord | None
    outcome: Outcome = Outcome.FRESH


def arrive(patient_id: str) -> Arrival:
    """Find the patient; takes PATIENCE_SECONDS at the most when the mirror does not hold them."""
    record = patients.get(patient_id)
    if record is not None and record.deleted_at is None:
        return Arrival(record)
    give_up = time.monotonic() + PATIENCE_SECONDS
    outcome = refresh.refresh_patient(patient_id, timeout=PATIENCE_SECONDS)
    record = patients.get(patient_id)
    # Another tab asked first: its answer will be in the mirror, or this one gives up.
    while record is None and outcome is Outcome.BUSY and time.monotonic() < give_up:
        time.sleep(_LOOK_AGAIN_SECONDS)
        record = patients.get(patient_id)
    return Arrival(record, outcome)  # a tombstone, too, is asked for again: a wrong 404 must not last


def survivor_of(record: PatientRecord) -> str:
    """The id of the patient that this one lives on as after merges; its own id when it was not merged."""
    seen = [record.cliniko_id]
    heir = record.merged_into
    while heir and heir not in seen and len(seen) < _MERGES_FOLLOWED:
        seen.append(heir)
        held = patients.get(heir)
        heir = held.merged_into if held else None
    # A circle has no survivor: whoever was asked for is shown as they are.
    return record.cliniko_id if heir else seen[-1]
