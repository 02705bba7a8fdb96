"""Invented classes (three a week, for the past half year and the next six weeks) and their attendees."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from sandbox.cliniko.clock import format_time
from sandbox.cliniko.data.blank_records import blank_attendee, blank_class
from sandbox.cliniko.seed.appointments import ClinicIds, cancellation
from sandbox.cliniko.seed.clinic import CLASSES, MAX_ATTENDEES

TIMETABLE = ((0, time(7, 15)), (2, time(12, 30)), (4, time(17, 0)))  # weekday and the clinic's local time
PAST_WEEKS, FUTURE_WEEKS = 26, 6
NOTES = (None, None, None, "", "Bring a towel.", "On the mats, in the back room.")


@dataclass(frozen=True)
class ScheduledClass:
    """A class and its record body; it was created at `booked_at`."""

    starts_at: datetime
    booked_at: datetime
    body: dict[str, Any]

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + timedelta(minutes=CLASSES[0][1])


def make_classes(random: Random, ids: ClinicIds, now: datetime) -> Iterator[ScheduledClass]:
    """Yield every class of the timetable around `now`, by start time."""
    monday = now.astimezone(ids.zone).date() - timedelta(days=now.astimezone(ids.zone).weekday())
    for week in range(-PAST_WEEKS, FUTURE_WEEKS):
        for weekday, hour in TIMETABLE:
            yield _class(random, ids, now, monday + timedelta(days=7 * week + weekday), hour)


def _class(random: Random, ids: ClinicIds, now: datetime, day: date, hour: time) -> ScheduledClass:
    starts = datetime.combine(day, hour, tzinfo=ids.zone).astimezone(UTC)
    body = {
        **blank_class(),
        "starts_at": format_time(starts),
        "ends_at": format_time(starts + timedelta(minutes=CLASSES[0][1])),
        "max_attendees": MAX_ATTENDEES,
        "notes": random.choice(NOTES),
        "practitioner": str(ids.practitioners[hour.hour % len(ids.practitioners)]),
        "business": str(ids.businesses[0]),
        "appointment_type": str(ids.class_type),
    }
    return ScheduledClass(starts, min(starts, now) - timedelta(days=random.randint(20, 60)), body)


def make_attendee(random: Random, group: ScheduledClass, now: datetime) -> dict[str, Any]:
    """Return the body of an attendee, with its created_at, updated_at and cancelled_at columns."""
    booked = group.booked_at + timedelta(hours=random.randint(1, 400))
    upcoming = group.starts_at > now
    body = {
        **blank_attendee(),
        "created_at": format_time(booked),
        "updated_at": format_time(booked if upcoming else min(now, group.ends_at)),
        "cancelled_at": None,
        "arrived": None if upcoming else random.choices((True, False, None), weights=(85, 8, 7))[0],
        "email_reminder_sent": not upcoming,
    }
    return {**body, "arrived": None, **cancellation(random, booked)} if random.random() < 0.1 else body
