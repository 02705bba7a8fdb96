"""Numbers of clinics on public, so that a list of a thousand of them enters none."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Max, Sum
from django.utils import timezone

from ops.models import HOURS, ClinicDay
from ops.monitoring import charts
from sync.models import Patient, RefusedPayload
from sync.read.status import standing
from tenants.context import inside
from tenants.models import Clinic

KEPT_FOR = timedelta(days=400)
LAG_HOURS, LAUNCH_DAYS = 24, 14


@dataclass(frozen=True)
class Seen:
    """What a visit to a clinic found; `launches` are all that it has counted."""

    patients: int
    refused: int
    lag: int | None
    launches: int


def measure(clinic: Clinic, *, now: datetime) -> None:
    """Visit the clinic and note its numbers; no launch is counted twice, whoever visits at once. The caller stands in
    public."""
    clinic.refresh_from_db(fields=["launches_seen"])
    with inside(clinic):
        seen = _look(now)
    with transaction.atomic():
        seen_of = {"schema_name": clinic.schema_name, "launches_seen": clinic.launches_seen}
        same = {"state__in": Clinic.WORKING} | seen_of
        if Clinic.objects.select_for_update(no_key=True).filter(pk=clinic.pk, **same).exists():
            _note(clinic, seen, now)


def _look(now: datetime) -> Seen:
    checked_at = standing().checked_at
    return Seen(
        patients=Patient.objects.filter(deleted_at=None).count(),
        refused=RefusedPayload.objects.count(),
        lag=max(0, int((now - checked_at).total_seconds())) if checked_at else None,
        launches=launch_count(),
    )


def _note(clinic: Clinic, seen: Seen, now: datetime) -> None:
    today = _row(clinic, now.astimezone(UTC).date())
    # Of what was there when it was first looked at nobody knows the day. Fewer than before: the clinic was restored, or
    # its button is of another account now.
    before = seen.launches if clinic.launches_seen is None else clinic.launches_seen
    today.launches += max(0, seen.launches - before)
    Clinic.objects.filter(pk=clinic.pk).update(launches_seen=seen.launches)
    hour = now.astimezone(UTC).hour
    if seen.lag is not None:
        today.lag_by_hour[hour] = max(seen.lag, today.lag_by_hour[hour] or 0)
    today.patients, today.refused = seen.patients, seen.refused
    today.save(update_fields=["patients", "refused", "launches", "lag_by_hour"])


def _row(clinic: Clinic, day: date) -> ClinicDay:
    return ClinicDay.objects.get_or_create(clinic=clinic, day=day, defaults={"lag_by_hour": [None] * HOURS})[0]


def forget() -> None:
    """Delete the numbers of more than a year ago."""
    ClinicDay.objects.filter(day__lt=timezone.now().date() - KEPT_FOR).delete()


def launches(now: datetime, clinic: Clinic | None = None) -> charts.Chart:
    """Launches by day, of one clinic or of all."""
    first = now.astimezone(UTC).date() - timedelta(days=LAUNCH_DAYS - 1)
    rows = ClinicDay.objects.filter(day__gte=first, **({"clinic": clinic} if clinic else {}))
    counted = dict(rows.values_list("day").annotate(Sum("launches")).order_by())
    days = [first + timedelta(days=number) for number in range(LAUNCH_DAYS)]
    values = [
        charts.Value(f"{day:%a} {day.day} {day:%b}", str(day.day) if place % 2 else "", counted.get(day, 0))
        for place, day in enumerate(days)
    ]
    return charts.of_counts("Launches by day", "Launches", values)


def lag(now: datetime, clinic: Clinic | None = None) -> charts.Chart:
    """The most that a mirror, one clinic's or anybody's, was behind, by hour."""
    last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [last - timedelta(hours=number) for number in reversed(range(LAG_HOURS))]
    worst = _worst_by_hour(hours[0].date(), clinic)
    values = [
        charts.Value(f"{hour:%a %H}:00", f"{hour:%H}" if hour.hour % 3 == 0 else "", worst.get(hour)) for hour in hours
    ]
    return charts.of_durations("How far behind the copies were, by hour", "At most behind", values)


def _worst_by_hour(first: date, clinic: Clinic | None) -> dict[datetime, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT day, hour, max(lag) FROM ops_clinicday, unnest(lag_by_hour) WITH ORDINALITY AS measured (lag, hour)"
            " WHERE day >= %s AND lag IS NOT NULL AND (%s::bigint IS NULL OR clinic_id = %s) GROUP BY day, hour",
            [first, clinic and clinic.pk, clinic and clinic.pk],
        )
        return {
            datetime(day.year, day.month, day.day, hour - 1, tzinfo=UTC): most for day, hour, most in cursor.fetchall()
        }


LAUNCHES = ("click", "signed_out")  # of the kinds in launch.button_clicks


def latest_launch() -> datetime | None:
    """When the button in Cliniko was last clicked; patients are opened from the search, too."""
    latest: datetime | None = _launches().aggregate(Max("at"))["at__max"]
    return latest


def launch_count() -> int:
    """How many clicks on the button have been noted in all."""
    return _launches().aggregate(Sum("times"))["times__sum"] or 0


def _launches() -> Any:
    return apps.get_model("launch", "ButtonClick")._default_manager.filter(kind__in=LAUNCHES)
