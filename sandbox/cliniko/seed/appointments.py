"""Invented medical alerts, and appointments in the past two years and the next eight weeks."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.cliniko.clock import format_time
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
class ClinicIds:
    """The ids that appointments can refer to, and the clinic's time zone."""

    practitioners: list[int]
    businesses: list[int]
    types: list[int]
    class_type: int
    zone: ZoneInfo


def make_alerts(random: Random) -> list[str]:
    return random.sample(ALERTS, random.choice((1, 1, 1, 2, 2, 3))) if random.random() < 0.12 else []


def make_appointments(
    random: Random, ids: ClinicIds, now: datetime, *, birth_date: date | None, upcoming: bool
) -> list[dict[str, Any]]:
    """Return bodies of a patient's appointments after birth, with created_at, updated_at and cancelled_at columns."""
    count = random.choices(COUNTS, WEIGHTS)[0]
    practitioner = random.choice(ids.practitioners)
    days_known = min(730, (now.date() - birth_date).days) if birth_date else 730
    days = [
        random.randint(1, 56) if upcoming and random.random() < 0.22 else -random.randint(1, 730) for _ in range(count)
    ]
    return [_appointment(random, ids, now, practitioner, day) for day in days if day > -days_known]


def _appointment(random: Random, ids: ClinicIds, now: datetime, practitioner: int, days: int) -> dict[str, Any]:
    kind = random.randrange(len(ids.types))
    in_future = days > 0
    starts = _start_time(random, now + timedelta(days=days), ids.zone)
    ends = starts + timedelta(minutes=TYPES[kind][1])
    booked = min(starts - timedelta(days=random.randint(1, 40)), now - timedelta(hours=random.randint(1, 400)))
    outcome = _outcome(random, starts, booked, in_future=in_future)
    return {
        **blank_appointment(),
        "starts_at": format_time(starts),
        "ends_at": format_time(ends),
        "notes": random.choice(NOTES) if random.random() < 0.15 else random.choice((None, "")),
        "practitioner": str(practitioner if random.random() < 0.8 else random.choice(ids.practitioners)),
        "business": str(random.choice(ids.businesses)),
        "appointment_type": str(ids.types[kind]),
        "created_at": format_time(booked),
        "updated_at": format_time(booked if in_future else min(now, ends + timedelta(minutes=5))),
        "cancelled_at": None,
        **outcome,
    }


def _start_time(random: Random, around: datetime, zone: ZoneInfo) -> datetime:
    """Return a quarter hour between 8 am and 6 pm local time, in UTC."""
    quarter = random.randrange(4 * 10)
    local = datetime.combine(around.astimezone(zone).date(), time(8 + quarter // 4, quarter % 4 * 15), tzinfo=zone)
    return local.astimezone(UTC)


def _outcome(random: Random, starts: datetime, booked: datetime, *, in_future: bool) -> dict[str, Any]:
    roll = random.random()
    if roll < 0.08:
        reason = random.choice(tuple(REASONS))
        at = booked if in_future else max(booked, starts - timedelta(hours=random.randint(1, 72)))
        return cancellation(random, at, reason)
    if in_future:
        return {}
    return {"did_not_arrive": True} if roll < 0.13 else {"patient_arrived": roll < 0.9}


def cancellation(random: Random, at: datetime, reason: int = 30) -> dict[str, Any]:
    """Return the fields of a cancelled appointment or attendee."""
    return {
        "cancelled_at": format_time(at),
        "updated_at": format_time(at),
        "cancellation_reason": reason,
        "cancellation_reason_description": REASONS[reason],
        "cancellation_note": random.choice((None, "", "Rang this morning.")),
    }
