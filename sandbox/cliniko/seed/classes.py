"""The clinic's classes: three a week, half a year behind and six weeks ahead, and who comes to them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from sandbox.cliniko.clock import stamp
from sandbox.cliniko.data.blank_records import blank_attendee, blank_class
from sandbox.cliniko.seed.appointments import House, cancellation
from sandbox.cliniko.seed.clinic import CLASSES, MOST_ATTENDEES

TIMETABLE = ((0, time(7, 15)), (2, time(12, 30)), (4, time(17, 0)))  # weekday, by the clinic's clock
WEEKS_BEHIND, WEEKS_AHEAD = 26, 6
NOTES = (None, None, None, "", "Bring a towel.", "On the mats, in the back room.")


@dataclass(frozen=True)
class Class:
    """A class to be, its body ready for a record. Everything about it was booked at once, `booked_at`."""

    starts_at: datetime
    booked_at: datetime
    body: dict[str, Any]

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + timedelta(minutes=CLASSES[0][1])


def classes(random: Random, house: House, now: datetime) -> Iterator[Class]:
    """Every class of the timetable around `now`, in order."""
    monday = now.astimezone(house.zone).date() - timedelta(days=now.astimezone(house.zone).weekday())
    for week in range(-WEEKS_BEHIND, WEEKS_AHEAD):
        for weekday, hour in TIMETABLE:
            yield _class(random, house, now, monday + timedelta(days=7 * week + weekday), hour)


def _class(random: Random, house: House, now: datetime, day: date, hour: time) -> Class:
    starts = datetime.combine(day, hour, tzinfo=house.zone).astimezone(UTC)
    body = {
        **blank_class(),
        "starts_at": stamp(starts),
        "ends_at": stamp(starts + timedelta(minutes=CLASSES[0][1])),
        "max_attendees": MOST_ATTENDEES,
        "notes": random.choice(NOTES),
        "practitioner": str(house.practitioners[hour.hour % len(house.practitioners)]),
        "business": str(house.businesses[0]),
        "appointment_type": str(house.class_type),
    }
    return Class(starts, min(starts, now) - timedelta(days=random.randint(20, 60)), body)


def attendance(random: Random, group: Class, now: datetime) -> dict[str, Any]:
    """One patient's place in a class; the record's own times are there to be taken out as columns."""
    booked = group.booked_at + timedelta(hours=random.randint(1, 400))
    ahead = group.starts_at > now
    body = {
        **blank_attendee(),
        "created_at": stamp(booked),
        "updated_at": stamp(booked if ahead else min(now, group.ends_at)),
        "cancelled_at": None,
        "arrived": None if ahead else random.choices((True, False, None), weights=(85, 8, 7))[0],
        "email_reminder_sent": not ahead,
    }
    return {**body, "arrived": None, **cancellation(random, booked)} if random.random() < 0.1 else body
