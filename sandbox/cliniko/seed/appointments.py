"""What hangs on a patient: medical alerts, and appointments in the two years behind and the eight weeks ahead."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.cliniko.clock import stamp
from sandbox.cliniko.data.blank_records import blank_appointment
from sandbox.cliniko.seed.clinic import TYPES

ALERTS = (
    "Penicillin allergy",
    "Pacemaker – no electrotherapy",
    "Latex allergy",
    "Anticoagulants (warfarin): no dry needling",
    "Epilepsy, last seizure last winter",
    "Hears little on the left – face the patient when speaking",
    "Fainted at the first visit; keep lying down for ten minutes",
    "Falls risk – walk with the patient",
    "Diabetes type 1, carries glucose",
    "Alérgica al ibuprofeno",
    "<b>Latex</b> & <script>alert('alert')</script> – wear nitrile gloves",
    "Complex history: spinal fusion L4–L5 with hardware, reaction to contrast dye, implanted nerve stimulator "
    "(settings card is in the file), and a deep vein thrombosis after the last operation. Ask before every session "
    "whether anything has changed, do not treat prone, no manipulation of the lumbar spine, and ring the surgeon's "
    "rooms when pain at rest or numbness is new.",
)
REASONS = {10: "Feeling better", 20: "Condition worse", 30: "Sick", 40: "Away", 50: "Other", 60: "Work"}
COUNTS = tuple(range(15))
WEIGHTS = (14, 14, 13, 11, 9, 8, 7, 6, 5, 4, 3, 2, 2, 1, 1)
NOTES = ("Review of exercises.", "Bring the scan.", "First visit, allow time for the form.", "Running late is fine.")


@dataclass(frozen=True)
class House:
    """The ids that an appointment may name, and the clock on the clinic's wall."""

    practitioners: list[int]
    businesses: list[int]
    types: list[int]
    class_type: int
    zone: ZoneInfo


def alerts(random: Random) -> list[str]:
    return random.sample(ALERTS, random.choice((1, 1, 1, 2, 2, 3))) if random.random() < 0.12 else []


def appointments(
    random: Random, house: House, now: datetime, *, born: date | None, coming: bool
) -> list[dict[str, Any]]:
    """A patient's appointments, none before birth; the record's own times are there to be taken out as columns."""
    count = random.choices(COUNTS, WEIGHTS)[0]
    usual = random.choice(house.practitioners)
    known = min(730, (now.date() - born).days) if born else 730
    days = [
        random.randint(1, 56) if coming and random.random() < 0.22 else -random.randint(1, 730) for _ in range(count)
    ]
    return [_appointment(random, house, now, usual, day) for day in days if day > -known]


def _appointment(random: Random, house: House, now: datetime, usual: int, days: int) -> dict[str, Any]:
    kind = random.randrange(len(house.types))
    ahead = days > 0
    starts = _opening(random, now + timedelta(days=days), house.zone)
    ends = starts + timedelta(minutes=TYPES[kind][1])
    booked = min(starts - timedelta(days=random.randint(1, 40)), now - timedelta(hours=random.randint(1, 400)))
    outcome = _outcome(random, starts, booked, ahead=ahead)
    return {
        **blank_appointment(),
        "starts_at": stamp(starts),
        "ends_at": stamp(ends),
        "notes": random.choice(NOTES) if random.random() < 0.15 else random.choice((None, "")),
        "practitioner": str(usual if random.random() < 0.8 else random.choice(house.practitioners)),
        "business": str(random.choice(house.businesses)),
        "appointment_type": str(house.types[kind]),
        "created_at": stamp(booked),
        "updated_at": stamp(booked if ahead else min(now, ends + timedelta(minutes=5))),
        "cancelled_at": None,
        **outcome,
    }


def _opening(random: Random, around: datetime, zone: ZoneInfo) -> datetime:
    """A quarter of an hour between eight and six by the clinic's clock."""
    quarter = random.randrange(4 * 10)
    local = datetime.combine(around.astimezone(zone).date(), time(8 + quarter // 4, quarter % 4 * 15), tzinfo=zone)
    return local.astimezone(UTC)


def _outcome(random: Random, starts: datetime, booked: datetime, *, ahead: bool) -> dict[str, Any]:
    luck = random.random()
    if luck < 0.08:
        reason = random.choice(tuple(REASONS))
        at = booked if ahead else max(booked, starts - timedelta(hours=random.randint(1, 72)))
        return cancellation(random, at, reason)
    if ahead:
        return {}
    return {"did_not_arrive": True} if luck < 0.13 else {"patient_arrived": luck < 0.9}


def cancellation(random: Random, at: datetime, reason: int = 30) -> dict[str, Any]:
    """What a cancelled appointment or place in a class shows."""
    return {
        "cancelled_at": stamp(at),
        "updated_at": stamp(at),
        "cancellation_reason": reason,
        "cancellation_reason_description": REASONS[reason],
        "cancellation_note": random.choice((None, "", "Rang this morning.")),
    }
