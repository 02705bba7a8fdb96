"""Numbers of clinics on public, so that a list of a thousand of them enters none."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from ops.models import HOURS, DailyStats, LaunchTotal
from ops.monitoring import charts
from sync.models import Patient, RefusedPayload
from sync.read.status import current
from tenants.context import enter_clinic
from tenants.models import Clinic
from tenants.signals import launch_totals

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
    """Record the clinic's figures for today. Call from the public schema; concurrent calls count each launch once."""
    before = _launch_total(clinic)
    with enter_clinic(clinic):
        seen = _look(now)
    with transaction.atomic():
        unchanged = Clinic.objects.select_for_update(no_key=True).filter(
            pk=clinic.pk, state__in=Clinic.WORKING, schema_name=clinic.schema_name
        )
        if unchanged.exists() and _launch_total(clinic) == before:
            _record(clinic, seen, before, now)


def _launch_total(clinic: Clinic) -> int | None:
    return LaunchTotal.objects.filter(clinic=clinic).values_list("total", flat=True).first()


def _look(now: datetime) -> Seen:
    checked_at = current().checked_at
    return Seen(
        patients=Patient.objects.filter(deleted_at=None).count(),
        refused=RefusedPayload.objects.count(),
        lag=max(0, int((now - checked_at).total_seconds())) if checked_at else None,
        launches=launch_totals().launches,
    )


def _record(clinic: Clinic, seen: Seen, before: int | None, now: datetime) -> None:
    today = _row(clinic, now.astimezone(UTC).date())
    # The first measurement can't tell which day earlier launches belong to. A lower count than before means that the
    # clinic was restored or connected to another Cliniko account.
    today.launches += max(0, seen.launches - (seen.launches if before is None else before))
    LaunchTotal.objects.update_or_create(clinic=clinic, defaults={"total": seen.launches})
    hour = now.astimezone(UTC).hour
    if seen.lag is not None:
        today.lag_by_hour[hour] = max(seen.lag, today.lag_by_hour[hour] or 0)
    today.patients, today.refused = seen.patients, seen.refused
    today.save(update_fields=["patients", "refused", "launches", "lag_by_hour"])


def _row(clinic: Clinic, day: date) -> DailyStats:
    return DailyStats.objects.get_or_create(clinic=clinic, day=day, defaults={"lag_by_hour": [None] * HOURS})[0]


def forget() -> None:
    """Delete the numbers of more than a year ago."""
    DailyStats.objects.filter(day__lt=timezone.now().date() - KEPT_FOR).delete()


def launches(now: datetime, clinic: Clinic | None = None) -> charts.Chart:
    """Launches by day, of one clinic or of all."""
    first = now.astimezone(UTC).date() - timedelta(days=LAUNCH_DAYS - 1)
    rows = DailyStats.objects.filter(day__gte=first, **({"clinic": clinic} if clinic else {}))
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
            "SELECT day, hour, max(lag)"
            " FROM ops_dailystats, unnest(lag_by_hour) WITH ORDINALITY AS measured (lag, hour)"
            " WHERE day >= %s AND lag IS NOT NULL AND (%s::bigint IS NULL OR clinic_id = %s) GROUP BY day, hour",
            [first, clinic and clinic.pk, clinic and clinic.pk],
        )
        return {
            datetime(day.year, day.month, day.day, hour - 1, tzinfo=UTC): most for day, hour, most in cursor.fetchall()
        }
